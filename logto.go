package mops

import (
	"context"
	"log/slog"
)

// calm is a handler of the user's whose panics end no call: mops logs on
// goroutines on which a panic would end the program.
type calm struct{ slog.Handler }

func (c calm) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() { _ = recover() }()
	return c.Handler.Enabled(ctx, level)
}

func (c calm) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() { _ = recover() }()
	return c.Handler.Handle(ctx, r)
}

func (c calm) WithAttrs(attrs []slog.Attr) (with slog.Handler) {
	with = c
	defer func() { _ = recover() }()
	return calm{c.Handler.WithAttrs(attrs)}
}

func (c calm) WithGroup(name string) (with slog.Handler) {
	with = c
	defer func() { _ = recover() }()
	return calm{c.Handler.WithGroup(name)}
}
