package otelmops

import (
	"context"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/executor"
)

// leases counts the leases of calls, and the renewals that they live by.
type leases struct {
	active   metric.Int64UpDownCounter
	changes  metric.Int64Counter
	renewals metric.Int64Counter
}

func newLeases(meter metric.Meter) (l leases) {
	l.active, _ = meter.Int64UpDownCounter("mops.lease.active", metric.WithUnit("{lease}"), metric.WithDescription("leases that this process holds"))
	l.changes, _ = meter.Int64Counter("mops.lease.changes", metric.WithUnit("{lease}"), metric.WithDescription("leases that were taken, adopted, taken over or lost"))
	l.renewals, _ = meter.Int64Counter("mops.session.renewals", metric.WithUnit("{renewal}"), metric.WithDescription("tries to renew what shows others that this process lives"))
	return l
}

// follow counts what an event says of the lease of a call.
func (l leases) follow(c *openCall, e mops.Event) {
	if c.leased && e.Reason == executor.LeaseLost {
		l.change(e, "lost")
	}
	switch e.Kind {
	case mops.AttemptStarted:
		if !c.leased && e.LeaseID != "" { // else it is another attempt under the same
			l.change(e, "taken")
		}
		l.hold(c, e.LeaseID != "")
	case mops.AttemptAdopted:
		l.change(e, "adopted")
		l.hold(c, true)
	case mops.AttemptStage: // there is a lease, and its beginning may have been missed
		l.hold(c, e.LeaseID != "")
	case mops.AttemptEnded:
		l.hold(c, c.leased && e.Again)
	case mops.CallWaiting:
		l.hold(c, c.leased && e.Wait == mops.WaitRetry)
	case mops.CallEnded:
		l.hold(c, false)
	}
}

func (l leases) change(e mops.Event, change string) {
	l.changes.Add(background, 1, metric.WithAttributes(functionKey.String(e.Function), changeKey.String(change)))
}

// hold counts that this process holds the lease of a call, or does not.
func (l leases) hold(c *openCall, held bool) {
	if held == c.leased {
		return
	}
	c.leased = held
	more := int64(1)
	if !held {
		more = -1
	}
	l.active.Add(background, more, metric.WithAttributes(functionKey.String(c.function)))
}

// sessions are the sessions of this process in one store, by their keys there: those
// of others are written only by who finds them dead.
type sessions struct {
	renewals metric.Int64Counter
	system   string
	ours     sync.Map
}

const sessionPrefix = "mops1-sessions/" // part of the format of a store

// put takes note of a request.
func (s *sessions) put(ctx context.Context, key string, opts driver.PutOptions, err error) {
	if !strings.HasPrefix(key, sessionPrefix) {
		return
	}
	if opts.IfAbsent {
		s.ours.Store(key, nil) // though it failed: it may have arrived
		return
	}
	if _, ours := s.ours.Load(key); !ours {
		return
	}
	attributes := []attribute.KeyValue{systemKey.String(s.system)}
	if kind := failure(err); kind != "" {
		attributes = append(attributes, errorKey.String(kind))
	}
	s.renewals.Add(ctx, 1, metric.WithAttributes(attributes...))
}
