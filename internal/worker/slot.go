package worker

import (
	"context"

	"github.com/TrilliantHealth/mops-go/internal/slots"
)

// Slot is the right to run that a function has, and gives back while it waits.
type Slot struct {
	Pool   slots.Pool // nil: there is no limit
	Holder string
}

// Pause gives the slot back for as long as the function waits.
func (s Slot) Pause() {
	if s.Pool != nil {
		s.Pool.Pause(s.Holder)
	}
}

// Resume takes a slot again.
func (s Slot) Resume(ctx context.Context) error {
	if s.Pool == nil {
		return nil
	}
	return s.Pool.Resume(ctx, s.Holder)
}

// Release gives the slot back for good.
func (s Slot) Release() {
	if s.Pool != nil {
		s.Pool.Release(s.Holder)
	}
}

// Tree is where the processes that descend from one orchestrator share their
// slots, and the slot that this worker runs in.
type Tree struct {
	Path   string `json:"path"` // of the socket
	Name   string `json:"name"` // of the pool
	Size   int    `json:"size"`
	Holder string `json:"holder"`

	client *slots.Client
}

// Dial connects to the orchestrator at the top.
func (t *Tree) Dial() (err error) {
	t.client, err = slots.Dial(t.Path)
	return err
}

// Close gives back what this process holds.
func (t *Tree) Close() error { return t.client.Close() }

// Pool is the tree's pool, after Dial.
func (t *Tree) Pool() slots.Pool { return t.client.Pool(t.Name, t.Size) }

// Slot is the one that this worker runs in, after Dial.
func (t *Tree) Slot() Slot { return Slot{Pool: t.Pool(), Holder: t.Holder} }
