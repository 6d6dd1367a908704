// Package view is what lies at an address as the tool shows it: calls, records, runs,
// leases and sessions, read without the programs that wrote them. Its types are what
// is printed as JSON; their methods have the words for people. Nothing is written.
package view

import (
	"context"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// State is how far a call is.
type State string

// The states.
const (
	HasResult  State = "result"
	HasError   State = "error"      // its last run failed; the next call runs it again
	Running    State = "running"    // somebody who may live has its lease
	Abandoned  State = "abandoned"  // who had its lease is dead; the next call takes it over
	Released   State = "released"   // nobody computes it; the lease has the outcome
	Unfinished State = "unfinished" // there is an invocation, or remains
)

// Call is all that is kept of a call.
type Call struct {
	Kind       string  `json:"kind"` // call
	URI        string  `json:"uri"`
	Root       string  `json:"root"`
	Pipeline   string  `json:"pipeline"`
	Function   string  `json:"function"`
	Version    string  `json:"version"`
	Words      string  `json:"words"`
	MemoKey    string  `json:"memo_key"`
	State      State   `json:"state"`
	Injected   bool    `json:"injected,omitempty"`
	Bytes      int64   `json:"bytes"` // of everything
	Invocation *Record `json:"invocation"`
	Result     *Record `json:"result"`
	Error      *Record `json:"error"`
	Lease      *Lease  `json:"lease"`
	Runs       []*Run  `json:"runs"`
	Files      []File  `json:"files"` // that the function returned

	LeaseProblem string     `json:"-"`
	Place        memo.Place `json:"-"`
}

// File is one that the function returned.
type File struct {
	URI   string `json:"uri"`
	Bytes int64  `json:"bytes"`
}

// ReadCall reads everything that is kept of a call but the logs and files.
func ReadCall(ctx context.Context, x roots.Address, now time.Time) (*Call, error) {
	v := &Call{
		Kind: "call", URI: x.URI(), Root: x.Store.Root(), Pipeline: x.Call.Pipeline, Function: x.Call.Name, Version: x.Call.Version,
		Words: words.Of(x.Path), MemoKey: x.Call.Key.String(), Runs: []*Run{}, Files: []File{}, Place: x.Place(),
	}
	var found runList
	for info, err := range x.Store.List(ctx, x.Path+"/", "") {
		if err != nil {
			return nil, err
		}
		v.Bytes += info.Size
		rest := strings.TrimPrefix(info.Key, x.Path+"/")
		if err := v.add(ctx, &found, info, rest); err != nil && !blob.Is(err, blob.NotFound) { // deleted meanwhile
			return nil, err
		}
	}
	if v.Bytes == 0 && len(v.Runs) == 0 && !roots.There(ctx, x.Store, x.Path) {
		return nil, roots.NotFound(ctx, x.Store, x.Path, nil)
	}
	if err := v.addLease(ctx, &found, now); err != nil {
		return nil, err
	}
	v.typed()
	found.sort()
	v.Runs = append(v.Runs, found.list...)
	v.State = StateOf(v.Result.sound(), v.Error.sound(), v.Lease)
	return v, nil
}

// typed tells input and output what their types are, as the invocation says.
func (v *Call) typed() {
	if v.Invocation == nil {
		return
	}
	types := v.Invocation.types()
	v.Invocation.typed(types.In)
	v.Result.typed(types.Out)
}

func (v *Call) add(ctx context.Context, found *runList, info blob.Info, rest string) error {
	if kind, ok := recordKinds[rest]; ok && kind != record.KindLease {
		read, err := readRecord(ctx, v.Place.Store, info.Key, kind, v.MemoKey)
		if err != nil {
			return err
		}
		v.take(found, rest, &read)
		return nil
	}
	if name, ok := strings.CutPrefix(rest, "runs/"); ok {
		return found.add(ctx, v.Place.Store, info, name)
	}
	if strings.HasPrefix(rest, "out/") {
		v.Files = append(v.Files, File{URI: v.Place.Store.URI(info.Key), Bytes: info.Size})
	}
	return nil
}

// take puts a record where it belongs, and notes the run that it tells of.
func (v *Call) take(found *runList, name string, read *Record) {
	switch name {
	case "invocation":
		v.Invocation = read
	case "result":
		v.Result = read
		var header record.ResultHeader
		read.Into(&header)
		v.Injected = header.Injected
		if header.RunID != "" {
			found.known(header.RunID, "result", &header.Run, read.Modified)
		}
	case "error":
		v.Error = read
		var header record.ErrorHeader
		read.Into(&header)
		found.known(header.RunID, "error", &header.Run, read.Modified)
	}
}

func (v *Call) addLease(ctx context.Context, found *runList, now time.Time) error {
	read, wrong, err := ReadLease(ctx, v.Place.Store, v.Place.Lease(), Sights{}, now)
	switch {
	case err != nil:
		return err
	case wrong != nil:
		v.LeaseProblem = wrong.Error()
	case read != nil:
		v.Lease = read
		found.known(read.RunID, "lease", nil, time.Time{})
	}
	return nil
}

// StateOf says how far a call is that has a sound result or error, or has not, and
// this lease, which may be nil.
func StateOf(result, failed bool, l *Lease) State {
	switch {
	case result:
		return HasResult
	case l.Held():
		return Running
	case failed:
		return HasError
	case l != nil && l.Status == lease.StatusHeld:
		return Abandoned
	case l != nil:
		return Released
	}
	return Unfinished
}

// Spoilt reports whether anything was found damaged, or unreadable.
func (v *Call) Spoilt() bool {
	for _, r := range []*Record{v.Invocation, v.Result, v.Error} {
		if r != nil && r.Condition != Sound {
			return true
		}
	}
	return v.LeaseProblem != ""
}
