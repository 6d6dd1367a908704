package mopstest

import (
	"context"
	"fmt"
	"path"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
)

// Stub returns a context under which fn stands in for f, in calls that the program
// makes and in those that functions make in this process; a worker in a process of
// its own has the real one. All else is as always: calls are memoized, and what the
// test has stored by then is found, results of f itself, too. So stub before the
// first call. A call fails, and stores nothing, if its root is neither in memory nor
// below the folder for temporary files, where somebody could take what fn returns
// for real.
func Stub[In, Out any](ctx context.Context, f *mops.Func[In, Out], fn func(context.Context, In) (Out, error)) context.Context {
	return function.WithStub(ctx, f.Name(), func(ctx context.Context, in any) (any, error) {
		out, err := fn(ctx, *in.(*In))
		return &out, err
	})
}

// Fail returns a context under which the next runs of f, as many as times says, end
// as if their worker had died for that reason, such as [executor.OOMKilled] or
// [executor.WorkerLost]; the function does not begin. After that it runs as before.
// So a test sees what its program does with the error, a *[mops.ExecError], and
// whether its [mops.Retries] are enough. Stub with a function that returns an error
// is for what the function itself fails at.
func Fail[In, Out any](ctx context.Context, f *mops.Func[In, Out], reason executor.Reason, times int) context.Context {
	var failed atomic.Int64
	return function.WithFault(ctx, f.Name(), func() error {
		if n := failed.Add(1); n <= int64(times) {
			return function.Die(&executor.Error{Reason: reason, Message: fmt.Sprintf("a worker of %s died on purpose, %d of %d times: mopstest.Fail", f.Name(), n, times)})
		}
		return nil
	})
}

// BreakStore lets all operations on the store of a context of [Context] fail with err
// until mend is called. With a *blob.Error or *driver.Error of kind Unavailable or
// Throttled, a program tries again for a while, as always; Denied and others fail
// at once. BreakStore panics if the context is of no such kind, or if the test gave
// its own root.
func BreakStore(ctx context.Context, err error) (mend func()) {
	root, ok := ctx.Value(rootKey{}).(string)
	if !ok {
		panic("mopstest.BreakStore: the context is not one of mopstest.Context")
	}
	memblob.Break(root, err)
	return func() { memblob.Break(root, nil) }
}

// Key fails the test if the calls of f have other keys than they had: then a change,
// perhaps one nobody thought of, such as the name of a field of In, leaves all
// results behind that there are. want is the key of the call with in that a run of
// the test printed before; give "" to see it. The function does not run.
//
//	func TestKey(t *testing.T) { mopstest.Key(t, Forecast, Place{"Oslo"}, "LampFishRain.tuyu5…") }
func Key[In, Out any](t testing.TB, f *mops.Func[In, Out], in In, want string) {
	t.Helper()
	_, info, err := f.With(mops.RequireResults()).Do(Context(t), in)
	if info.URI == "" {
		t.Errorf("mopstest: %s has no key for this input: %v", f.Name(), err)
		return
	}
	got := path.Base(info.URI)
	switch {
	case want == "":
		t.Errorf("mopstest: the key of this call of %s is %q: write it into the test", f.Name(), got)
	case got != want:
		t.Errorf("mopstest: the key of this call of %s was %q and is %q: the results that are stored will not be found. Undo the change of its name, version, types or Calls; or, if results are to be computed anew, write the new key into the test; or name the old home by mops.ReadFrom, if only name or version changed", f.Name(), want, got)
	}
}
