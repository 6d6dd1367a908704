package worker

import (
	"context"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
)

// Slot is a function's right to run. The function gives it back while it waits.
type Slot struct {
	Pool   slots.Pool // nil if there is no limit
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

// Tree is where the processes of one orchestrator share their slots, and the
// slot that this worker runs in. It is a pool: the one of the orchestrator at
// the top, asked when first needed, since most functions call no others. If the
// orchestrator cannot be reached (it died, or runs on another machine), it is a
// pool of the same size in this process.
type Tree struct {
	Path   string `json:"path"` // of the socket
	Name   string `json:"name"` // of the pool
	Size   int    `json:"size"`
	Holder string `json:"holder"`

	once   sync.Once
	client *slots.Client // nil if there is none
	pool   slots.Pool
}

var _ slots.Pool = (*Tree)(nil)

// Slot is the slot that this worker runs in.
func (t *Tree) Slot() Slot { return Slot{Pool: t, Holder: t.Holder} }

func (t *Tree) dialed() slots.Pool {
	t.once.Do(func() {
		client, err := slots.Dial(t.Path, t.Name, t.Size)
		if err != nil {
			t.pool = slots.Local(t.Size)
			return
		}
		t.client, t.pool = client, client
	})
	return t.pool
}

// Close gives back what this process holds.
func (t *Tree) Close() error {
	t.once.Do(func() { t.pool = slots.Local(t.Size) }) // too late to dial
	if t.client == nil {
		return nil
	}
	return t.client.Close()
}

// Acquire implements slots.Pool.
func (t *Tree) Acquire(ctx context.Context, holder string) error {
	return t.dialed().Acquire(ctx, holder)
}

// Pause implements slots.Pool.
func (t *Tree) Pause(holder string) { t.dialed().Pause(holder) }

// Resume implements slots.Pool.
func (t *Tree) Resume(ctx context.Context, holder string) error {
	return t.dialed().Resume(ctx, holder)
}

// Release implements slots.Pool.
func (t *Tree) Release(holder string) { t.dialed().Release(holder) }
