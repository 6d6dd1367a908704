// Package sleep pauses, unless a context ends first. It is a leaf: whatever tries
// again, or looks again, uses it.
package sleep

import (
	"context"
	"time"
)

// For reports whether d has passed before ctx ended. The caller says why ctx did:
// some report its cause, some its error.
func For(ctx context.Context, d time.Duration) (passed bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
