package lease

import (
	"context"
	"errors"
	"slices"

	"github.com/TrilliantHealth/mops-go/blob"
)

// debt is a lease that may still be ours though nobody here works under it,
// because a put or a release failed halfway. Others would wait for it as long
// as the session lives, so the session releases it once the store answers
// again.
type debt struct {
	key, leaseID string
	outcome      Outcome
}

func (l *life) owe(d debt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.debts = append(l.debts, d)
}

// forgive drops the debt of a lease that is held after all. The caller holds
// mu.
func (l *life) forgive(key, leaseID string) {
	l.debts = slices.DeleteFunc(l.debts, func(d debt) bool { return d.key == key && d.leaseID == leaseID })
}

// payDebts releases the leases that it can, and keeps the rest for the next
// time.
func (l *life) payDebts(ctx context.Context) {
	l.mu.Lock()
	debts := l.debts
	l.debts = nil
	l.mu.Unlock()
	if len(debts) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.renew/2)
	defer cancel()
	for _, d := range debts {
		if err := l.pay(ctx, d); err != nil {
			l.log.Debug("lease not released yet", "lease", l.store.URI(d.key), "err", err)
			l.owe(d)
		}
	}
}

func (l *life) pay(ctx context.Context, d debt) error {
	found, version, err := Read(ctx, l.store, d.key)
	if errors.Is(err, ErrDamaged) {
		return nil // others replace it
	}
	if err != nil {
		return err
	}
	if !found.heldBy(d.leaseID, l.id) {
		return nil
	}
	found.Status, found.Outcome = StatusReleased, &d.outcome
	_, err = Put(ctx, l.store, d.key, version, found)
	if blob.Is(err, blob.Mismatch) {
		return nil // another session has it
	}
	return err
}
