package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/text"
)

// leaseView is a lease and those who hold it.
type leaseView struct {
	URI          string         `json:"uri"`
	Status       lease.Status   `json:"status"`
	LeaseID      string         `json:"lease_id"`
	Since        time.Time      `json:"since,omitzero"`
	AgeSeconds   int64          `json:"age_seconds"`
	Holder       *sessionView   `json:"holder,omitempty"`       // that computes
	Orchestrator *sessionView   `json:"orchestrator,omitempty"` // that waits for it, if that is another
	Executor     string         `json:"executor,omitempty"`
	Handle       string         `json:"handle,omitempty"`
	Attempt      int            `json:"attempt,omitempty"`
	RunID        string         `json:"run_id,omitempty"`
	Host         string         `json:"host,omitempty"`
	User         string         `json:"user,omitempty"`
	Outcome      *lease.Outcome `json:"outcome,omitempty"`

	version blob.Version // when it was read
	state   lease.State
}

// readLease reads a lease and looks at its sessions. It is nil where there is
// none; damaged is why it cannot be read, and then only the version is known.
func (a *app) readLease(ctx context.Context, store *blob.Store, key string, seen *sights) (v *leaseView, damaged, err error) {
	state, version, err := lease.Read(ctx, store, key)
	switch {
	case errors.Is(err, lease.ErrDamaged):
		return &leaseView{URI: store.URI(key), version: version}, err, nil
	case err != nil:
		return nil, nil, err
	case version == "":
		return nil, nil, nil
	}
	v = &leaseView{
		URI: store.URI(key), Status: state.Status, LeaseID: state.LeaseID, Since: state.Since, AgeSeconds: a.ageSeconds(state.Since),
		Executor: state.Executor, Handle: state.Handle, Attempt: state.Attempt, RunID: state.RunID,
		Host: state.Host, User: state.User, Outcome: state.Outcome, version: version, state: state,
	}
	if v.Holder, err = look(ctx, seen, state.Session); err == nil && state.Orchestrator != state.Session {
		v.Orchestrator, err = look(ctx, seen, state.Orchestrator)
	}
	return v, nil, err
}

func look(ctx context.Context, seen *sights, session string) (*sessionView, error) {
	if session == "" {
		return nil, nil
	}
	v, err := seen.of(ctx, session)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// held reports whether somebody who may live computes under the lease.
func (v *leaseView) held() bool {
	return v != nil && v.Status == lease.StatusHeld && v.Holder != nil && v.Holder.Life != lease.Gone
}

// leaseFacts are what a lease says, for people. After a success it is not
// released, since the result says all: then done is set.
func (a *app) leaseFacts(v *leaseView, done bool) text.Facts {
	var f text.Facts
	status := string(v.Status)
	switch {
	case v.Status == lease.StatusHeld && done:
		status = "done: there is a result, and so the lease needs no release"
	case v.Status == lease.StatusHeld && !v.held():
		status += ", by a dead session: whoever makes the call takes it over"
	}
	f.Add("status", status)
	f.Add("since", text.When(v.Since, a.now()))
	if v.Holder != nil {
		f.Add("holder", v.Holder.who()+"\n"+v.Holder.alive())
		f.Add("program", describeProgram(v.Holder.Program))
	}
	if v.Orchestrator != nil {
		f.Add("started by", v.Orchestrator.who()+"\n"+v.Orchestrator.alive())
	}
	f.Add("executor", v.Executor)
	f.Add("worker", v.Handle)
	run := v.RunID
	if v.Attempt > 1 {
		run += fmt.Sprintf(" (attempt %d)", v.Attempt)
	}
	f.Add("run", run)
	if v.Outcome != nil {
		f.Add("outcome", outcomeText(*v.Outcome))
	}
	f.Add("lease id", v.LeaseID)
	return f
}

func outcomeText(o lease.Outcome) string {
	text := string(o.Kind)
	for _, more := range []string{o.Reason, o.Message} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

// ageSeconds is a time as programs want it: seconds before now, to the second.
func (a *app) ageSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return int64(max(a.now().Sub(t), 0) / time.Second)
}
