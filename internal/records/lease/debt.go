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

func (l *life) owe(debts ...debt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range debts {
		l.debts = append(l.debts, &d) // another one than any that is being paid
	}
}

// forgive drops and returns the debt of a lease that is to be taken again under its
// id, also where it is being paid at this moment: who takes the lease forgives first
// and puts then; who pays reads the lease first, and then looks whether the debt is
// still there. So nobody pays for a lease as it is after that put.
func (l *life) forgive(key, leaseID string) (forgiven []debt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.debts = slices.DeleteFunc(l.debts, func(d *debt) bool {
		is := d.key == key && d.leaseID == leaseID
		if is {
			forgiven = append(forgiven, *d)
		}
		return is
	})
	return forgiven
}

func (l *life) owes(d *debt) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.debts, d)
}

func (l *life) settle(d *debt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.debts = slices.DeleteFunc(l.debts, func(other *debt) bool { return other == d })
}

// payDebts releases the leases that it can, and keeps the rest for the next
// time.
func (l *life) payDebts(ctx context.Context) {
	l.mu.Lock()
	debts := slices.Clone(l.debts)
	l.mu.Unlock()
	if len(debts) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.renew/2)
	defer cancel()
	for _, d := range debts {
		if err := l.pay(ctx, d); err != nil {
			l.log.Debug("lease not released yet", "lease", l.store.URI(d.key), "err", err)
			continue
		}
		l.settle(d)
	}
}

func (l *life) pay(ctx context.Context, d *debt) error {
	found, version, err := Read(ctx, l.store, d.key)
	if errors.Is(err, ErrDamaged) {
		return nil // others replace it
	}
	if err != nil {
		return err
	}
	if !found.heldBy(d.leaseID, l.id) || !l.owes(d) {
		return nil
	}
	found.Status, found.Outcome = StatusReleased, &d.outcome
	_, err = Put(ctx, l.store, d.key, version, found)
	if blob.Is(err, blob.Mismatch) {
		return nil // another session has it
	}
	return err
}
