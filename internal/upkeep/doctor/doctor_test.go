package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// broken is a store in memory that is changed in one way.
type broken struct {
	*memblob.Store
	put    func(opts *driver.PutOptions) error
	delete func() error
	list   func(all []driver.Info) []driver.Info
}

func (b broken) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if b.put != nil {
		if err := b.put(&opts); err != nil {
			return driver.Info{}, err
		}
	}
	return b.Store.Put(ctx, key, body, size, opts)
}

func (b broken) Delete(ctx context.Context, key string) error {
	if b.delete != nil {
		if err := b.delete(); err != nil {
			return err
		}
	}
	return b.Store.Delete(ctx, key)
}

func (b broken) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	if b.list == nil {
		return b.Store.List(ctx, prefix, startAt)
	}
	return func(yield func(driver.Info, error) bool) {
		var all []driver.Info
		for info, err := range b.Store.List(ctx, prefix, startAt) {
			if err != nil {
				yield(info, err)
				return
			}
			all = append(all, info)
		}
		for _, info := range b.list(all) {
			if !yield(info, nil) {
				return
			}
		}
	}
}

var (
	denied      = &driver.Error{Kind: driver.Denied, Err: errors.New("403 for https://acct.example/box?sv=2026&sig=verysecret%3D&se=2027")}
	unavailable = &driver.Error{Kind: driver.Unavailable, Err: errors.New("no route to host")}
)

// faulty is a store with a plan.
func faulty(s *memblob.Store, plan blobtest.FaultPlan) driver.Store {
	return blobtest.Faulty(blob.New("mem://x", s), plan).Driver()
}

func always(op blobtest.Op) map[blobtest.Op]float64 { return map[blobtest.Op]float64{op: 1} }

// after fails all operations from the n-th on.
func after(n int64, err error) func(blobtest.Op, string) error {
	var count atomic.Int64
	return func(blobtest.Op, string) error {
		if count.Add(1) > n {
			return err
		}
		return nil
	}
}

// Each way in which a store may be unfit shows in lines that say so, and little
// else; and nothing is left behind, but where nothing can be removed.
func TestBrokenStores(t *testing.T) {
	for name, c := range map[string]struct {
		store func(s *memblob.Store) driver.Store
		fails string   // names of the lines that fail, sorted; "…" for more
		warns string   // of those that warn
		lines int      // how many there are, at most; 0: all
		says  []string // anywhere
		left  int      // blobs
		most  time.Duration
		full  bool // the long checks, too, which are long for a processor as well
	}{
		"sound":        {store: func(s *memblob.Store) driver.Store { return s }, most: time.Second, full: true},
		"without time": {store: func(s *memblob.Store) driver.Store { return struct{ driver.Store }{s} }, says: []string{"tells no time"}, most: time.Second},
		"ignores conditions": {
			store: func(s *memblob.Store) driver.Store {
				return broken{Store: s, put: func(o *driver.PutOptions) error { *o = driver.PutOptions{}; return nil }}
			},
			fails: "conditions", lines: 7, says: []string{"If-None-Match and If-Match", "replaced one"},
		},
		"ignores conditions under load": {
			store: func(s *memblob.Store) driver.Store {
				var n atomic.Int64
				return broken{Store: s, put: func(o *driver.PutOptions) error {
					if n.Add(1) > 10 {
						*o = driver.PutOptions{}
					}
					return nil
				}}
			},
			fails: "BothConditions OneWinner PutIfAbsent Reborn Swap SwapOften …", full: true, says: []string{"If-None-Match and If-Match"},
		},
		"refuses conditions": {
			store: func(s *memblob.Store) driver.Store {
				return broken{Store: s, put: func(o *driver.PutOptions) error {
					if o.IfAbsent || o.IfVersion != "" {
						return &driver.Error{Kind: driver.Invalid, Err: errors.New("the service ignores If-Match")}
					}
					return nil
				}}
			},
			fails: "conditions", lines: 7, says: []string{"the service ignores If-Match", "If-None-Match and If-Match"},
		},
		"lists out of order": {
			store: func(s *memblob.Store) driver.Store {
				return broken{Store: s, list: func(all []driver.Info) []driver.Info { slices.Reverse(all); return all }}
			},
			fails: "List", full: true, says: []string{"mops ls, logs, why and gc may overlook things"},
		},
		"lists nothing": {
			store: func(s *memblob.Store) driver.Store {
				return broken{Store: s, list: func([]driver.Info) []driver.Info { return nil }}
			},
			fails: "List ListBreak ListInfo OddKeys", full: true,
		},
		"denies writes": {
			store: func(s *memblob.Store) driver.Store {
				return broken{Store: s, put: func(*driver.PutOptions) error { return denied }}
			},
			fails: "write", lines: 4, says: []string{"MOPS_READ_ONLY=1", "403 for https://acct.example/box?sv=2026&sig=…&se=2027"},
		},
		"denies deletes": {
			store: func(s *memblob.Store) driver.Store {
				return broken{Store: s, delete: func() error { return denied }}
			},
			fails: "clean delete", lines: 6, left: 1, says: []string{"programs do without", "remove what is below mem://x/mops1-doctor/"},
		},
		"denies everything": {
			store: func(s *memblob.Store) driver.Store {
				return faulty(s, blobtest.FaultPlan{Before: after(0, denied)})
			},
			fails: "reach", lines: 1, says: []string{"see which credentials are used"},
		},
		"cannot be reached": {
			store: func(s *memblob.Store) driver.Store {
				return faulty(s, blobtest.FaultPlan{Before: after(0, unavailable)})
			},
			fails: "reach", lines: 1, says: []string{"no route to host", "see that its name is right"}, most: time.Second,
		},
		"says nothing": {
			store: func(s *memblob.Store) driver.Store {
				return faulty(s, blobtest.FaultPlan{Stall: always(blobtest.OpAny)})
			},
			fails: "reach", lines: 1, says: []string{"there was no answer within 20s", "check endpoint, proxy and firewall"}, most: contactTime,
		},
		"has no bucket": {
			store: func(s *memblob.Store) driver.Store {
				return broken{Store: s, put: func(*driver.PutOptions) error { return &driver.Error{Kind: driver.NotFound} }}
			},
			fails: "write", lines: 3, says: []string{"make it, or correct the root"},
		},
		"has no bucket, and says so": {
			store: func(s *memblob.Store) driver.Store {
				return faulty(s, blobtest.FaultPlan{Before: func(op blobtest.Op, _ string) error {
					if op == blobtest.OpStat {
						return &driver.Error{Kind: driver.NotFound}
					}
					return &driver.Error{Kind: driver.Invalid, Err: errors.New("there is no such bucket: make it")}
				}})
			},
			fails: "list write", lines: 3, says: []string{"make it", "do as it says"},
		},
		"cannot find what was written": {
			store: func(s *memblob.Store) driver.Store {
				return faulty(s, blobtest.FaultPlan{Before: func(op blobtest.Op, _ string) error {
					if op == blobtest.OpGet {
						return &driver.Error{Kind: driver.NotFound}
					}
					return nil
				}})
			},
			fails: "read", lines: 5, says: []string{"what was written cannot be read"},
		},
		"tells another time": {
			store: func(s *memblob.Store) driver.Store {
				s.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
				return s
			},
			warns: "clock", says: []string{"1h00m ahead of this machine's", "S3 refuses requests"},
		},
		"is far away": {
			store: func(s *memblob.Store) driver.Store {
				return faulty(s, blobtest.FaultPlan{Before: func(blobtest.Op, string) error { time.Sleep(600 * time.Millisecond); return nil }})
			},
			warns: "latency", says: []string{"get 600 ms and 600 ms", "closer to the store"},
		},
		"fails now and then": {
			store: func(s *memblob.Store) driver.Store {
				var failed sync.Map // so that nothing fails again and again, as chance would have it at times
				perhaps := func(op blobtest.Op, key string) error {
					// A check that meets with its own traces is made again, and passes; the first
					// operations are made twice at most.
					if rand.Float64() < 0.02 && !slices.ContainsFunc([]string{"-again", "contact", "/conditions"}, func(name string) bool { return strings.Contains(key, name) }) {
						if _, again := failed.LoadOrStore(string(op)+" "+key, true); !again {
							return unavailable
						}
					}
					return nil
				}
				return faulty(s, blobtest.FaultPlan{Before: perhaps, After: perhaps})
			},
			warns: "…",
		},
		"goes down": {
			store: func(s *memblob.Store) driver.Store {
				return faulty(s, blobtest.FaultPlan{Before: after(200, unavailable)})
			},
			fails: "checks clean …", says: []string{"no route to host", "the rest was left out"}, left: -1,
		},
		"stalls in the end": {
			store: func(s *memblob.Store) driver.Store {
				var count atomic.Int64
				return faulty(s, blobtest.FaultPlan{Before: func(blobtest.Op, string) error {
					if count.Add(1) > 200 {
						time.Sleep(time.Hour)
					}
					return nil
				}})
			},
			fails: "…", left: -1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := memblob.New()
				var told []Line
				report := Examine(t.Context(), blob.New("mem://x", c.store(s)), Options{Quick: !c.full, Line: func(line Line) { told = append(told, line) }})
				took := time.Since(began)
				if fmt.Sprint(told) != fmt.Sprint(report.Lines) {
					t.Error("what was told is not what is reported")
				}
				expectLines(t, report, Fail, c.fails)
				expectLines(t, report, Warn, c.warns)
				if c.lines > 0 && len(report.Lines) > c.lines || c.lines == 0 && c.left >= 0 && len(report.Lines) != 6+2+len(blobtest.Checks())-len(report.LeftOut)+1 {
					t.Errorf("there are %d lines", len(report.Lines))
				}
				text := fmt.Sprintf("%+v", report.Lines)
				for _, says := range c.says {
					if !strings.Contains(text, says) {
						t.Errorf("it does not say %q:\n%s", says, text)
					}
				}
				if strings.Contains(text, "verysecret") {
					t.Errorf("it tells a secret: %s", text)
				}
				left := 0
				for range s.List(t.Context(), "", "") {
					left++
				}
				if c.left >= 0 && left != c.left || left > len(report.LeftBehind) {
					t.Errorf("%d blobs are left behind, and it says %q", left, report.LeftBehind)
				}
				if c.most > 0 && took > c.most {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func expectLines(t *testing.T, r *Report, v Verdict, want string) {
	t.Helper()
	var names []string
	for _, line := range r.Lines {
		if line.Verdict == v {
			names = append(names, line.Name)
			if line.ToDo == "" || line.Found == "" {
				t.Errorf("%s says neither what is nor what to do: %+v", line.Name, line)
			}
		}
	}
	slices.Sort(names)
	got := strings.Join(slices.Compact(names), " ")
	if some, more := strings.CutSuffix(want, "…"); more {
		for name := range strings.FieldsSeq(some) {
			if !slices.Contains(names, name) {
				t.Errorf("%s is missing among %s", name, got)
			}
		}
	} else if got != want {
		t.Errorf("%s: %q, want %q\n%+v", v, got, want, r.Lines)
	}
}

func TestQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, counter := blobcount.New(blob.New("mem://x", memblob.New()))
		report := Examine(t.Context(), store, Options{Quick: true})
		if len(report.LeftOut) != len(long) || report.Count(Pass) != 6+2+len(blobtest.Checks())-len(long)+1 {
			t.Errorf("left out %q of %d, %d passed", report.LeftOut, len(long), report.Count(Pass))
		}
		if n := counter.Counts().Total(); n > 700 {
			t.Errorf("it made %d operations", n)
		}
		t.Logf("%d operations", counter.Counts().Total())
	})
}

// Whenever it is interrupted, nothing is left behind.
func TestInterrupted(t *testing.T) {
	for n := int64(1); n < 500; n += 83 {
		synctest.Test(t, func(t *testing.T) {
			s := memblob.New()
			ctx, cancel := context.WithCancel(t.Context())
			var count atomic.Int64
			store := faulty(s, blobtest.FaultPlan{Before: func(blobtest.Op, string) error {
				if count.Add(1) == n {
					cancel()
				}
				time.Sleep(time.Millisecond)
				return nil
			}})
			report := Examine(ctx, blob.New("mem://x", store), Options{Quick: n > 250})
			for info := range s.List(t.Context(), "", "") {
				t.Fatalf("interrupted at operation %d, it left %s", n, info.Key)
			}
			if report.Count(Fail) > 0 {
				t.Errorf("interrupted at operation %d, it says %+v", n, report.Lines)
			}
			cancel()
		})
	}
}

// Only roots that name no place are told what a root is like.
func TestUnopened(t *testing.T) {
	for root, says := range map[string]string{
		"bucket/folder": "correct the root", "s3://": "correct the root", "adls://account": "correct the root", "s4://bucket": "correct the root",
		"s3://bucket": "do as it says", "adls://account/box": "do as it says", "file:///folder": "do as it says",
	} {
		report := Unopened(&blob.Error{Op: "open", URI: root, Kind: blob.Invalid, Err: errors.New("what is wrong")}, Options{})
		if todo := report.Lines[0].ToDo; !strings.Contains(todo, says) {
			t.Errorf("of %s it is said to %q", root, todo)
		}
	}
}
