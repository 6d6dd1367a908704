//go:build linux || darwin

package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// faulty is the scheme of stores that fail as planned: faulty:mem://name.
const faulty = "faulty"

// plans are those of the roots that are open, by URI.
var plans sync.Map

func init() {
	blob.Register(faulty, func(ctx context.Context, uri string) (driver.Store, error) {
		plan, ok := plans.Load(uri)
		if !ok {
			return nil, fmt.Errorf("no plan for %s", uri)
		}
		_, inner, _ := strings.Cut(uri, ":")
		inner, _, _ = strings.Cut(inner, "#") // tells orchestrators apart
		store, err := blob.Open(ctx, inner)
		if err != nil {
			return nil, err
		}
		return blobtest.Faulty(store, plan.(blobtest.FaultPlan)).Driver(), nil
	})
}

// throttle refuses operations at random.
func throttle(odds float64) func(blobtest.Op, string) error {
	return func(blobtest.Op, string) error {
		if rand.Float64() < odds {
			return &driver.Error{Kind: driver.Throttled, Err: errors.New("slow down")}
		}
		return nil
	}
}

// Many orchestrators make the same calls on a store that fails, loses
// acknowledgements, throttles and hangs. In the end each call has one result,
// the same for all but those who were told that theirs could not be kept; until
// then each error says what it is.
func TestFaultyStore(t *testing.T) {
	orchestrators, calls := 8, 100
	if soak {
		orchestrators, calls = 64, 500
	}
	any := func(odds float64) map[blobtest.Op]float64 { return map[blobtest.Op]float64{blobtest.OpAny: odds} }
	for _, c := range []struct {
		name string
		root func(t *testing.T) string
		plan blobtest.FaultPlan
	}{
		{"mem fails", inMemory, blobtest.FaultPlan{Fail: any(0.05), LoseAck: any(0.05), Cut: 0.02, Flip: 0.02}},
		{"mem throttles", inMemory, blobtest.FaultPlan{Before: throttle(0.3)}},
		{"mem hangs", inMemory, blobtest.FaultPlan{Fail: any(0.02), LoseAck: any(0.02), Stall: any(0.01)}},
		{"mem fails most of the time", inMemory, blobtest.FaultPlan{Fail: any(0.4), LoseAck: any(0.3)}},
		// Local stores are tried again less often.
		{"file fails", inFolder, blobtest.FaultPlan{Fail: any(0.05), LoseAck: any(0.05), Cut: 0.02, Flip: 0.02}},
		{"file hangs", inFolder, blobtest.FaultPlan{Fail: any(0.02), LoseAck: any(0.02), Stall: any(0.01)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, dir := c.root(t), t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				uri := func(i int) string {
					plan := c.plan
					plan.Seed = uint64(i + 1)
					uri := fmt.Sprintf("%s:%s#%d", faulty, root, i)
					plans.Store(uri, plan)
					t.Cleanup(func() { plans.Delete(uri) })
					return uri
				}
				h := hardships(t, uri, dir, orchestrators, calls)
				h.check(t, root, dir, calls)
			})
		})
	}
}

func inMemory(t *testing.T) string { return "mem://" + strings.ReplaceAll(t.Name(), "/", "-") }
func inFolder(t *testing.T) string { return "file://" + t.TempDir() }

// hardships lets orchestrators, each with a root of its own or its own way to
// the same, insist on the same calls.
func hardships(t *testing.T, root func(i int) string, dir string, orchestrators, calls int) *hardship {
	began, realTime := time.Now(), realNow()
	h := &hardship{}
	var running sync.WaitGroup
	for i := range orchestrators {
		env, err := mops.New(t.Context(), mops.Isolated(), mops.Root(root(i)), mops.CacheDir(fmt.Sprintf("%s/cache%d", dir, i)), mops.LogTo(slog.New(h)))
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			defer func() {
				if err := env.Close(); err != nil && kindOf(err) == "unexplained" {
					t.Errorf("close: %v", err)
				}
			}()
			var each sync.WaitGroup
			for n := range calls {
				each.Go(func() {
					w := Work{Name: fmt.Sprintf("w%d", (n+i*7)%calls), Dir: dir, Chance: true, Sleep: 10 * time.Millisecond}
					h.insist(t, env.Context(context.Background()), w)
				})
			}
			each.Wait()
		})
	}
	running.Wait()
	runs := 0
	for _, n := range counts(t, enginetest.Tally{Dir: dir}) {
		runs += n
	}
	t.Logf("%d orchestrators with %d calls each: %d runs, %d errors on the way %v, %d results not kept; it took %v of the store's time, %v of ours",
		orchestrators, calls, runs, h.failures, h.kinds, len(h.unkept), time.Since(began), realNow()-realTime)
	return h
}

// hardship is what the users of a bad store meet with. It is the handler of
// their logs, too, which say what could not be kept.
type hardship struct {
	mu       sync.Mutex
	got      []gotten
	failures int
	kinds    map[string]int
	unkept   []string // what was logged
}

type gotten struct{ name, text, run string }

func (h *hardship) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (h *hardship) WithAttrs([]slog.Attr) slog.Handler               { return h }
func (h *hardship) WithGroup(string) slog.Handler                    { return h }

func (h *hardship) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "could not be kept") {
		h.mu.Lock()
		defer h.mu.Unlock()
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "error" {
				h.unkept = append(h.unkept, a.Value.String())
			}
			return true
		})
	}
	return nil
}

// insist makes a call until it succeeds.
func (h *hardship) insist(t *testing.T, ctx context.Context, w Work) {
	for range 50 {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		answer, info, err := doWork.Do(ctx, w)
		cancel()
		h.mu.Lock()
		if err == nil {
			h.got = append(h.got, gotten{w.Name, answer.Text, info.Run})
			h.mu.Unlock()
			return
		}
		kind := kindOf(err)
		if h.kinds == nil {
			h.kinds = map[string]int{}
		}
		h.kinds[kind]++
		h.failures++
		h.mu.Unlock()
		switch kind {
		case "context", "blob unavailable", "blob throttled":
		default:
			t.Errorf("%s: an error of kind %s: %v", w.Name, kind, err)
		}
		time.Sleep(time.Second)
	}
	t.Errorf("%s is stranded", w.Name)
}

// check checks that everybody got what is in the store, unless it was said that
// the result of that run could not be kept.
func (h *hardship) check(t *testing.T, root, dir string, calls int) {
	env, err := mops.New(t.Context(), mops.Isolated(), mops.Root(root))
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	kept := map[string]string{}
	for n := range calls {
		w := Work{Name: fmt.Sprintf("w%d", n), Dir: dir, Chance: true, Sleep: 10 * time.Millisecond}
		answer, err := doWork.With(mops.RequireResults()).Call(env.Context(t.Context()), w)
		if err != nil && !errors.Is(err, mops.ErrNoResult) {
			t.Error(err)
		}
		kept[w.Name] = answer.Text
	}
	for _, g := range h.got {
		if g.text == kept[g.name] {
			continue
		}
		said := slices.ContainsFunc(h.unkept, func(text string) bool { return strings.Contains(text, g.run) })
		if !said {
			t.Errorf("%s: run %s returned %q, the store has %q, and nothing was said of that", g.name, g.run, g.text, kept[g.name])
		}
	}
}

// realNow is the time outside of a bubble of package synctest, since some moment.
func realNow() time.Duration {
	// Go keeps no other clock; the system's is good enough for a log.
	text, _ := os.ReadFile("/proc/uptime")
	var seconds float64
	fmt.Sscan(string(text), &seconds)
	return time.Duration(seconds * float64(time.Second))
}
