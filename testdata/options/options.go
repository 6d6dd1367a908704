// Package options holds what must not compile, marked ERROR, beside what must.
package options

import (
	"context"
	"log/slog"
	"slices"

	"github.com/TrilliantHealth/mops-go"
)

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

func use(ctx context.Context, other *mops.Func[int, int]) {
	f := mops.Define("double", double, mops.Version("1"), mops.Calls(other), mops.Off(), mops.In(nil))
	mops.Define("double", double, mops.Concurrency(1))        // ERROR
	mops.Define("double", double, mops.Config("mops.toml"))   // ERROR
	mops.Define("double", double, mops.LogTo(slog.Default())) // ERROR
	mops.Declare[int, int]("double", mops.Progress("off"))    // ERROR

	f.Implement(double, mops.Calls(other))
	f.Implement(double, mops.Version("2")) // ERROR
	f.Implement(double, mops.Off())        // ERROR

	f.With(mops.Off(), mops.Root("mem://x"))
	f.With(mops.Version("2"))             // ERROR
	f.With(mops.Calls(other))             // ERROR
	f.With(mops.Concurrency(3))           // ERROR
	f.With(mops.Executor("cluster", nil)) // ERROR
	mops.WithOptions(ctx, mops.Pipeline("p"))
	mops.WithOptions(ctx, mops.Version("2")) // ERROR
	mops.Join(mops.Off(), mops.KeepErrors())
	mops.Join(mops.Version("2")) // ERROR

	f.All(ctx, nil, mops.Concurrency(3), mops.Off())
	f.All(ctx, nil, mops.Version("2"))                          // ERROR
	f.Each(ctx, slices.Values([]int{}), mops.CacheDir("cache")) // ERROR

	mops.New(ctx, mops.Off(), mops.Config("mops.toml"), mops.In(nil))
	mops.New(ctx, mops.Version("2"))   // ERROR
	mops.New(ctx, mops.Concurrency(3)) // ERROR
	mops.Init(mops.Calls(other))       // ERROR
	mops.Main(nil, mops.Version("2"))  // ERROR
	mops.RegisterType[int](mops.In(nil))
	mops.RegisterType[int](mops.Off()) // ERROR
}
