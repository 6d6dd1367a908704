package view

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
)

// Lease is a lease and those who hold it.
type Lease struct {
	URI          string         `json:"uri"`
	Status       lease.Status   `json:"status"`
	LeaseID      string         `json:"lease_id"`
	Since        time.Time      `json:"since,omitzero"`
	AgeSeconds   int64          `json:"age_seconds"`
	Holder       *Session       `json:"holder,omitempty"`       // that computes
	Orchestrator *Session       `json:"orchestrator,omitempty"` // that waits for it, if that is another
	Executor     string         `json:"executor,omitempty"`
	Handle       string         `json:"handle,omitempty"`
	Attempt      int            `json:"attempt,omitempty"`
	RunID        string         `json:"run_id,omitempty"`
	ProgramRun   string         `json:"program_run,omitempty"`
	Host         string         `json:"host,omitempty"`
	User         string         `json:"user,omitempty"`
	Outcome      *lease.Outcome `json:"outcome,omitempty"`

	Version blob.Version `json:"-"` // when it was read
	State   lease.State  `json:"-"`
}

// ReadLease reads a lease and looks at its sessions. It is nil where there is
// none; wrong is why it cannot be read, and then only the version is known.
func ReadLease(ctx context.Context, store *blob.Store, key string, seen Sights, now time.Time) (v *Lease, wrong, err error) {
	state, version, err := lease.Read(ctx, store, key)
	switch {
	case errors.Is(err, lease.ErrDamaged), isFormat(err):
		return &Lease{URI: store.URI(key), Version: version}, err, nil
	case err != nil:
		return nil, nil, err
	case version == "":
		return nil, nil, nil
	}
	v = &Lease{
		URI: store.URI(key), Status: state.Status, LeaseID: state.LeaseID, Since: state.Since, AgeSeconds: ageSeconds(state.Since, now),
		Executor: state.Executor, Handle: state.Handle, Attempt: state.Attempt, RunID: state.RunID, ProgramRun: state.ProgramRun,
		Host: state.Host, User: state.User, Outcome: state.Outcome, Version: version, State: state,
	}
	if v.Holder, err = seen.Of(ctx, store, state.Session); err == nil && state.Orchestrator != state.Session {
		v.Orchestrator, err = seen.Of(ctx, store, state.Orchestrator)
	}
	return v, nil, err
}

// Held reports whether somebody who may live computes under the lease.
func (v *Lease) Held() bool {
	return v != nil && v.Status == lease.StatusHeld && v.Holder != nil && v.Holder.Life != lease.Gone
}

// Facts are what a lease says, for people. After a success it is not released,
// since the result says all: then done is set.
func (v *Lease) Facts(now time.Time, done bool) text.Facts {
	var f text.Facts
	status := string(v.Status)
	switch {
	case v.Status == lease.StatusHeld && done:
		status = "done: there is a result, and so the lease needs no release"
	case v.Status == lease.StatusHeld && !v.Held():
		status += ", by a dead session: whoever makes the call takes it over"
	}
	f.Add("status", status)
	f.Add("since", text.When(v.Since, now))
	if v.Holder != nil {
		f.Add("holder", v.Holder.Who()+"\n"+v.Holder.Alive())
		f.Add("program", ProgramText(v.Holder.Program))
	}
	if v.Orchestrator != nil {
		f.Add("started by", v.Orchestrator.Who()+"\n"+v.Orchestrator.Alive())
	}
	f.Add("executor", v.Executor)
	f.Add("worker", v.Handle)
	run := v.RunID
	if v.Attempt > 1 {
		run += fmt.Sprintf(" (attempt %d)", v.Attempt)
	}
	f.Add("run", run)
	if v.Outcome != nil {
		f.Add("outcome", OutcomeText(*v.Outcome))
	}
	f.Add("lease id", v.LeaseID)
	return f
}

// OutcomeText is how a run ended, in a line.
func OutcomeText(o lease.Outcome) string {
	text := string(o.Kind)
	for _, more := range []string{string(o.Reason), o.Message} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

// ageSeconds is a time as programs want it: seconds before now, to the second.
func ageSeconds(t, now time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return int64(max(now.Sub(t), 0) / time.Second)
}
