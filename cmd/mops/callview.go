package main

import (
	"context"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/explain"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// state is how far a call is.
type state string

const (
	hasResult  state = "result"
	hasError   state = "error"      // its last run failed; the next call runs it again
	running    state = "running"    // somebody who may live has its lease
	abandoned  state = "abandoned"  // who had its lease is dead; the next call takes it over
	released   state = "released"   // nobody computes it; the lease has the outcome
	unfinished state = "unfinished" // there is an invocation, or remains
)

// callView is all that is kept of a call.
type callView struct {
	Kind       string      `json:"kind"` // call
	URI        string      `json:"uri"`
	Root       string      `json:"root"`
	Pipeline   string      `json:"pipeline"`
	Function   string      `json:"function"`
	Version    string      `json:"version"`
	Words      string      `json:"words"`
	MemoKey    string      `json:"memo_key"`
	State      state       `json:"state"`
	Injected   bool        `json:"injected,omitempty"`
	Bytes      int64       `json:"bytes"` // of everything
	Invocation *recordView `json:"invocation"`
	Result     *recordView `json:"result"`
	Error      *recordView `json:"error"`
	Lease      *leaseView  `json:"lease"`
	Runs       []*runView  `json:"runs"`
	Files      []fileView  `json:"files"` // that the function returned

	leaseProblem string
	place        memo.Place
}

type fileView struct {
	URI   string `json:"uri"`
	Bytes int64  `json:"bytes"`
	name  string
}

// readCall reads everything that is kept of a call but the logs and files.
func (a *app) readCall(ctx context.Context, x address) (*callView, error) {
	v := &callView{
		Kind: "call", URI: x.uri(), Root: x.store.Root(), Pipeline: x.call.Pipeline, Function: x.call.Name, Version: x.call.Version,
		Words: explain.Words(x.path), MemoKey: x.call.Key.String(), Runs: []*runView{}, Files: []fileView{}, place: x.place(),
	}
	var found runList
	for info, err := range x.store.List(ctx, x.path+"/", "") {
		if err != nil {
			return nil, err
		}
		v.Bytes += info.Size
		rest := strings.TrimPrefix(info.Key, x.path+"/")
		if err := v.add(ctx, &found, info, rest); err != nil && !blob.Is(err, blob.NotFound) { // deleted meanwhile
			return nil, err
		}
	}
	if v.Bytes == 0 && len(v.Runs) == 0 && !there(ctx, x.store, x.path) {
		return nil, notFound(ctx, x.store, x.path, nil)
	}
	if err := a.addLease(ctx, v, &found); err != nil {
		return nil, err
	}
	found.sort()
	v.Runs = found.list
	if v.Runs == nil {
		v.Runs = []*runView{}
	}
	v.State = v.state()
	return v, nil
}

func (v *callView) add(ctx context.Context, found *runList, info blob.Info, rest string) error {
	if kind, ok := recordKinds[rest]; ok && kind != record.KindLease {
		read, err := readRecord(ctx, v.place.Store, info.Key, kind, v.MemoKey)
		if err != nil {
			return err
		}
		v.take(found, rest, &read)
		return nil
	}
	if name, ok := strings.CutPrefix(rest, "runs/"); ok {
		return found.add(ctx, v.place.Store, info, name)
	}
	if name, ok := strings.CutPrefix(rest, "out/"); ok {
		v.Files = append(v.Files, fileView{URI: v.place.Store.URI(info.Key), Bytes: info.Size, name: name})
	}
	return nil
}

// take puts a record where it belongs, and notes the run that it tells of.
func (v *callView) take(found *runList, name string, read *recordView) {
	switch name {
	case "invocation":
		v.Invocation = read
	case "result":
		v.Result = read
		var header record.ResultHeader
		read.into(&header)
		v.Injected = header.Injected
		if header.RunID != "" {
			found.known(header.RunID, "result", &header.Run, read.Modified)
		}
	case "error":
		v.Error = read
		var header record.ErrorHeader
		read.into(&header)
		found.known(header.RunID, "error", &header.Run, read.Modified)
	}
}

func (a *app) addLease(ctx context.Context, v *callView, found *runList) error {
	read, damaged, err := a.readLease(ctx, v.place.Store, v.place.Lease(), &sights{store: v.place.Store})
	switch {
	case err != nil:
		if !isFormat(err) {
			return err
		}
		v.leaseProblem = err.Error()
	case damaged != nil:
		v.leaseProblem = damaged.Error()
	case read != nil:
		v.Lease = read
		found.known(read.RunID, "lease", nil, time.Time{})
	}
	return nil
}

func (v *callView) state() state {
	switch {
	case v.Result != nil && v.Result.Condition == sound:
		return hasResult
	case v.Lease.held():
		return running
	case v.Error != nil && v.Error.Condition == sound:
		return hasError
	case v.Lease != nil && v.Lease.Status == lease.StatusHeld:
		return abandoned
	case v.Lease != nil:
		return released
	}
	return unfinished
}

// spoilt reports whether anything was found damaged, or unreadable.
func (v *callView) spoilt() bool {
	for _, r := range []*recordView{v.Invocation, v.Result, v.Error} {
		if r != nil && r.Condition != sound {
			return true
		}
	}
	return v.leaseProblem != ""
}
