package driver

import "context"

type urgentKey struct{}

// Urgent returns a context for an operation that must not wait behind others of
// this process: a store that queues its requests lets it pass.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

// IsUrgent reports whether a context is one of [Urgent].
func IsUrgent(ctx context.Context) bool { return ctx.Value(urgentKey{}) != nil }
