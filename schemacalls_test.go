package mops_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// Programs whose types differ below omitzero, in calls of every kind and at the same moment.

// Calls that were started, that share a flight, that are nested.
func TestSchemasOfStartedAndNestedCalls(t *testing.T) {
	ctx, _ := onDisk(t)
	must(mops.Define("test/waits", func(context.Context, int) (outMean, error) { return outMean{"n", mean{2}}, nil }, private()).Call(ctx, 1))
	release := make(chan struct{})
	runs := 0
	f := mops.Declare[int, outMedian]("test/waits", private())
	f.Implement(func(ctx context.Context, n int) (outMedian, error) {
		runs++
		if n == 2 {
			return f.Call(ctx, 1)
		}
		<-release
		return outMedian{"n", meanMedian{2, 1}}, nil
	})
	one, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	left, cancel := context.WithCancel(ctx)
	three, err := f.Start(left, 1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := three.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("who left has %v", err)
	}
	close(release)
	for _, c := range []*mops.Call[outMedian]{one, two} {
		if got, err := c.Wait(ctx); got.Stats.Median != 1 || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if one.Info().Outcome != mops.Computed || two.Info().Outcome != mops.Awaited || one.Info().URI != two.Info().URI || one.URI() == one.Info().URI {
		t.Errorf("%+v and %+v", one.Info(), two.Info())
	}
	if got, info, err := f.Do(ctx, 2); got.Stats.Median != 1 || info.Outcome != mops.Computed || err != nil || runs != 2 {
		t.Errorf("%+v, %+v, %v after %d runs", got, info, err, runs)
	}
}

// A call under the exact key that makes itself again waits for itself like any other.
func TestSchemasAndCycles(t *testing.T) {
	for name, nested := range map[string]func(context.Context, *mops.Func[int, outMedian]) (outMedian, error){
		"Call": func(ctx context.Context, f *mops.Func[int, outMedian]) (outMedian, error) { return f.Call(ctx, 1) },
		"KeepErrors": func(ctx context.Context, f *mops.Func[int, outMedian]) (outMedian, error) {
			return f.With(mops.KeepErrors()).Call(ctx, 1)
		},
		"Start": func(ctx context.Context, f *mops.Func[int, outMedian]) (outMedian, error) {
			c, err := f.Start(ctx, 1)
			if err != nil {
				return outMedian{}, err
			}
			return c.Wait(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := onDisk(t)
			must(mops.Define("test/cycle", func(context.Context, int) (outMean, error) { return outMean{"n", mean{2}}, nil }, private()).Call(ctx, 1))
			f := mops.Declare[int, outMedian]("test/cycle", private())
			var inside error
			f.Implement(func(ctx context.Context, n int) (out outMedian, err error) {
				out, inside = nested(ctx, f)
				return out, inside
			})
			for _, call := range []func() error{
				func() error { _, err := f.Call(ctx, 1); return err },
				func() error {
					c, err := f.Start(ctx, 1)
					if err == nil {
						_, err = c.Wait(ctx)
					}
					return err
				},
			} {
				if err := call(); err == nil || !errors.Is(inside, mops.ErrCycle) {
					t.Errorf("%v; inside, %v", err, inside)
				}
			}
		})
	}
}

func init() {
	for name, define := range map[string]func(){
		"schema older": func() { defineMain(outMean{"n", mean{2}}) },
		"schema newer": func() { defineMain(outMedian{"n", meanMedian{2, 1}}) },
	} {
		programs[name] = define
	}
}

// defineMain is a program that makes its one call in a worker.
func defineMain[Out any](out Out) {
	f := mops.Define("test/evolves", func(context.Context, int) (Out, error) { return out, nil })
	mops.Main(func(ctx context.Context) error {
		out, info, err := f.Do(ctx, 1)
		fmt.Printf("%+v %s\n", out, info.Outcome)
		return err
	}, mops.On(subprocess.New()))
}

// Whole programs beside each other, whose calls run in workers.
func TestSchemasInWorkers(t *testing.T) {
	for name, steps := range map[string][][2]string{
		"older first": {{"schema older", "{Name:n Stats:{Mean:2}} computed"}, {"schema newer", "{Name:n Stats:{Mean:2 Median:1}} computed"},
			{"schema older", "{Name:n Stats:{Mean:2}} hit"}, {"schema newer", "{Name:n Stats:{Mean:2 Median:1}} hit"}},
		"newer first": {{"schema newer", "{Name:n Stats:{Mean:2 Median:1}} computed"}, {"schema older", "{Name:n Stats:{Mean:2}} hit"},
			{"schema newer", "{Name:n Stats:{Mean:2 Median:1}} hit"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := "MOPS_ROOT=file://" + t.TempDir()
			for _, step := range steps {
				cmd := program(t, step[0])
				cmd.Env = append(cmd.Env, root)
				if stdout, stderr, code := run(t, cmd); code != 0 || strings.TrimSpace(stdout) != step[1] {
					t.Errorf("%s: %d, %q instead of %q\n%s", step[0], code, stdout, step[1], stderr)
				}
			}
		})
	}
}

// belowOmitzero is the function that workers know under this name; the caller
// of the test below is a program with one field more.
var belowOmitzero = mops.Define("test/below-omitzero", func(context.Context, int) (outMean, error) { return outMean{"n", mean{2}}, nil })

// A worker whose types differ from its caller's would leave a result that the
// caller cannot use.
func TestSchemasOfAWorkerThatIsAnotherBuild(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	newer := mops.Define("test/below-omitzero", func(context.Context, int) (outMedian, error) { return outMedian{}, nil }, private())
	_, err := newer.Call(ctx, 1)
	if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != "VersionSkew" {
		t.Errorf("%T: %v", err, err)
	}
	mentions(t, err, "omitzero", "test/below-omitzero", "build both from the same source")
	if out, err := belowOmitzero.Call(ctx, 1); err != nil || out.Stats.Mean != 2 {
		t.Errorf("%+v, %v", out, err)
	}
}

// A caller that waits for a run of the other program computes the call when
// that run has ended.
func TestSchemasWhenTheOtherProgramComputes(t *testing.T) {
	ctx, root := onDisk(t)
	_, elsewhere := newEnv(t, mops.Root(root), mops.CacheDir(t.TempDir()))
	begun, release := make(chan struct{}), make(chan struct{})
	older := mops.Define("test/raced", func(context.Context, int) (outMean, error) {
		close(begun)
		<-release
		return outMean{"n", mean{2}}, nil
	}, private())
	newer := mops.Define("test/raced", func(context.Context, int) (outMedian, error) {
		return outMedian{"n", meanMedian{2, 1}}, nil
	}, private())
	first, err := older.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	second, err := newer.Start(elsewhere, 1)
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	if got, err := second.Wait(ctx); got.Stats.Median != 1 || err != nil || second.Info().Outcome != mops.Computed || second.Info().URI == second.URI() {
		t.Errorf("%+v, %v, %+v", got, err, second.Info())
	}
	if got, err := first.Wait(ctx); got.Stats.Mean != 2 || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// A caller may find, when it wants to put its own result, that the other
// program was faster.
func TestSchemasWhenTheOtherProgramIsFaster(t *testing.T) {
	ctx, _ := onDisk(t)
	older := mops.Define("test/overtaken", func(context.Context, int) (outMean, error) { return outMean{}, nil }, private())
	runs := 0
	newer := mops.Define("test/overtaken", func(ctx context.Context, n int) (outMedian, error) {
		if runs++; runs == 1 {
			if err := older.Inject(ctx, n, outMean{"n", mean{2}}); err != nil {
				return outMedian{}, err
			}
		}
		return outMedian{"n", meanMedian{2, 1}}, nil
	}, private())
	want := outMedian{"n", meanMedian{2, 1}}
	if got, info, err := newer.Do(ctx, 1); got != want || info.Outcome != mops.Computed || err != nil || runs != 2 {
		t.Errorf("%+v, %+v, %v after %d runs", got, info, err, runs)
	}
	if got, info, err := newer.Do(ctx, 1); got != want || info.Outcome != mops.Hit || err != nil {
		t.Errorf("%+v, %+v, %v", got, info, err)
	}
}

// slowNewer runs in a worker. It says that it has begun, and waits for leave to end.
var slowNewer = mops.Define("test/overtaken-in-a-worker", func(ctx context.Context, dir string) (outMedian, error) {
	if err := os.WriteFile(filepath.Join(dir, "begun"), nil, 0o644); err != nil {
		return outMedian{}, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "end")); err == nil {
			return outMedian{"n", meanMedian{2, 1}}, nil
		}
		select {
		case <-ctx.Done():
			return outMedian{}, ctx.Err()
		case <-time.After(5 * time.Millisecond): // nobody tells processes of each other's files
		}
	}
})

func TestSchemasWhenTheOtherProgramIsFasterThanAWorker(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	dir := t.TempDir()
	older := mops.Define("test/overtaken-in-a-worker", func(context.Context, string) (outMean, error) { return outMean{}, nil }, private())
	call, err := slowNewer.Start(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "begun")); err == nil {
			break
		}
		select {
		case <-call.Done():
			t.Fatal(call.Wait(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := older.Inject(ctx, dir, outMean{"n", mean{2}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "end"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := call.Wait(ctx); got.Stats.Median != 1 || err != nil || call.Info().Outcome != mops.Computed {
		t.Errorf("%+v, %v, %+v", got, err, call.Info())
	}
}

// A caller that gives a call up does not wait for others that make it under the
// exact key.
func TestSchemasAndThoseWhoLeave(t *testing.T) {
	ctx, _ := onDisk(t)
	must(mops.Define("test/left", func(context.Context, int) (outMean, error) { return outMean{}, nil }, private()).Call(ctx, 1))
	begun, release := make(chan struct{}), make(chan struct{})
	newer := mops.Define("test/left", func(context.Context, int) (outMedian, error) {
		close(begun)
		<-release
		return outMedian{"n", meanMedian{2, 1}}, nil
	}, private())
	var group sync.WaitGroup
	group.Go(func() { // it sees at once that it is the exact key
		if got, err := newer.Call(ctx, 1); got.Stats.Median != 1 || err != nil {
			t.Errorf("who stays has %+v, %v", got, err)
		}
	})
	<-begun
	for range 50 { // at any moment on the way to the exact key, and there
		call, err := newer.Start(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		for range rand.N(2000) {
			runtime.Gosched()
		}
		call.Cancel()
		select {
		case <-call.Done():
		case <-time.After(time.Minute):
			t.Fatal("who left is still waited for")
		}
	}
	close(release)
	group.Wait()
}

// gatedStore is a store in memory, local as files are, in which some reads wait.
type gatedStore struct {
	*memblob.Store
	gate *gate
}

type gate struct {
	mu      sync.Mutex
	key     string        // such reads want it
	waiting chan struct{} // closed when one waits
	open    chan struct{}
}

var schemaGate = new(gate)

func init() {
	store := memblob.New()
	blob.Register("gated", func(context.Context, string) (driver.Store, error) { return gatedStore{store, schemaGate}, nil })
}

func (gatedStore) LocalPath(context.Context, string) (string, error) {
	return "", errors.ErrUnsupported
}

func (g gatedStore) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	g.gate.mu.Lock()
	waits := g.gate.key != "" && strings.HasSuffix(g.gate.key, key)
	if waits {
		g.gate.key = ""
		close(g.gate.waiting)
	}
	g.gate.mu.Unlock()
	if waits {
		<-g.gate.open
	}
	return g.Store.Slurp(ctx, key, buf, limit)
}

// A function under the exact key waits for the flight of its usual key, which
// somebody else began and which is about to find out that it needs that function.
func TestSchemasAndACircleOfFlights(t *testing.T) {
	_, ctx := newEnv(t, mops.Root("gated://circle"), mops.CacheDir(t.TempDir()))
	older := mops.Define("test/circle", func(context.Context, int) (outMean, error) { return outMean{}, nil }, private())
	_, first, err := older.Do(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	begun, joined := make(chan struct{}), make(chan struct{})
	newer := mops.Declare[int, outMedian]("test/circle", private())
	newer.Implement(func(ctx context.Context, n int) (outMedian, error) {
		close(begun)
		<-joined
		call, err := newer.Start(ctx, n) // joins the other's flight
		if err != nil {
			return outMedian{}, err
		}
		close(schemaGate.open)
		return call.Wait(ctx)
	})
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := newer.Call(ctx, 1); err == nil {
			t.Error("the function has no error")
		}
	})
	<-begun
	schemaGate.mu.Lock()
	schemaGate.key, schemaGate.waiting, schemaGate.open = first.URI+"/result", make(chan struct{}), make(chan struct{})
	schemaGate.mu.Unlock()
	call, err := newer.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-schemaGate.waiting
	close(joined)
	if _, err := call.Wait(ctx); !errors.Is(err, mops.ErrCycle) {
		t.Errorf("%v", err)
	}
	group.Wait()
}
