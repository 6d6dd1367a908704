package packs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Entry is what a worker says of a call: that it began it, or how it ended. The
// outcome itself is in the records of the call.
type Entry struct {
	Call  int    `json:"call"` // its number in the list, from 0
	Began bool   `json:"began,omitempty"`
	Ended *Ended `json:"ended,omitempty"`
}

// Ended is how a call's worker process ended.
type Ended struct {
	Code        int         `json:"code"`
	Reason      runs.Reason `json:"reason,omitempty"` // of a failure other than the function's
	Message     string      `json:"message,omitempty"`
	Tail        string      `json:"tail,omitempty"`
	WallSeconds float64     `json:"wall_seconds,omitempty"`
	CPUSeconds  float64     `json:"cpu_seconds,omitempty"`
	PeakMemory  int64       `json:"peak_memory_bytes,omitempty"`
	Printed     bool        `json:"printed,omitempty"` // there is a log
}

type ledgerHeader struct {
	Pack   string `json:"pack"`
	Worker int    `json:"worker"`
	Page   int    `json:"page"`
}

func (p Pack) pageKey(worker, page int) string {
	return fmt.Sprintf("%s/ledger/%d/%06d", p.folder(), worker, page)
}

// Append writes entries as page next of a worker's ledger, or as the first one
// after it that is not there yet: a worker goes on with the ledger of the one
// that it replaces. It returns the number of the page after the one written. A
// page without entries is a sign of life.
func (p Pack) Append(ctx context.Context, worker, next int, entries []Entry) (int, error) {
	body, err := json.Marshal(entries)
	if err != nil {
		return next, err
	}
	for ; ; next++ {
		data, err := record.Seal(record.KindLedger, ledgerHeader{Pack: p.ID, Worker: worker, Page: next}, body)
		if err != nil {
			return next, err
		}
		_, err = p.Store.PutBytes(ctx, p.pageKey(worker, next), data, blob.PutOptions{IfAbsent: true})
		if !blob.Is(err, blob.Exists) {
			if err == nil {
				next++
			}
			return next, err
		}
	}
}

// Page reads one page of a worker's ledger. Found is false if it is not there
// (yet). A page that is damaged has no entries: what it said is found out
// otherwise, and later.
func (p Pack) Page(ctx context.Context, worker, page int) (entries []Entry, found bool, err error) {
	key := p.pageKey(worker, page)
	f, err := record.Fetch(ctx, p.Store, key, record.KindLedger)
	switch {
	case blob.Is(err, blob.NotFound):
		return nil, false, nil
	case errors.Is(err, record.ErrDamaged):
		return nil, true, nil
	case err != nil:
		return nil, false, p.named(key, err)
	}
	var header ledgerHeader
	if f.Into(&header) != nil || header.Pack != p.ID || header.Worker != worker || json.Unmarshal(f.Body, &entries) != nil {
		return nil, true, nil
	}
	return entries, true, nil
}

func (p Pack) givenUpKey() string { return p.folder() + "/given-up" }

// GiveUp tells the workers which calls of the list nobody wants any more: these,
// and those of earlier times.
func (p Pack) GiveUp(ctx context.Context, calls []int) error {
	slices.Sort(calls)
	text, err := json.Marshal(calls)
	if err != nil {
		return err
	}
	_, err = p.Store.PutBytes(ctx, p.givenUpKey(), text, blob.PutOptions{})
	return err
}

// GivenUp reads which calls nobody wants any more.
func (p Pack) GivenUp(ctx context.Context) (calls []int, err error) {
	text, _, err := p.Store.ReadUpTo(ctx, p.givenUpKey(), nil, record.KindPack.Limit())
	switch {
	case blob.Is(err, blob.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if json.Unmarshal(text, &calls) != nil {
		return nil, nil // somebody is writing it anew; there is a next look
	}
	return calls, nil
}
