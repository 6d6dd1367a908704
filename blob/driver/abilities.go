package driver

import (
	"context"
)

// Decorator is a store that can pass on every optional ability.
type Decorator interface {
	Store
	Slurper
	Clock
	Local
}

// Like returns d with exactly those optional abilities that inner has. Callers
// find an ability by asking for its methods, so a decorator must neither claim
// what the store below cannot do nor hide what it can.
func Like(inner Store, d Decorator) Store {
	_, slurper := inner.(Slurper)
	_, clock := inner.(Clock)
	_, local := inner.(Local)
	switch {
	case slurper && clock && local:
		return d
	case slurper && clock:
		return struct {
			Store
			Slurper
			Clock
		}{d, d, d}
	case slurper && local:
		return struct {
			Store
			Slurper
			Local
		}{d, d, d}
	case clock && local:
		return struct {
			Store
			Clock
			Local
		}{d, d, d}
	case slurper:
		return struct {
			Store
			Slurper
		}{d, d}
	case clock:
		return struct {
			Store
			Clock
		}{d, d}
	case local:
		return struct {
			Store
			Local
		}{d, d}
	}
	return struct{ Store }{d}
}

type urgentKey struct{}

// Urgent returns a context for an operation that must not wait behind others of
// this process: a store that queues its requests lets it pass.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

// IsUrgent reports whether a context is one of [Urgent].
func IsUrgent(ctx context.Context) bool { return ctx.Value(urgentKey{}) != nil }
