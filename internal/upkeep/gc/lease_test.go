package gc_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/gc"
)

var everything = gc.Options{Calls: gc.Selection{Pipeline: "p"}, Delete: true}

func expectFate(b *table, o gc.Options, want gc.Fate) {
	b.Helper()
	if report := b.gc(o); len(report.Fates) != 1 || report.Fates[want] != 1 {
		b.Errorf("the fates are %v, want %s", report.Fates, want)
	}
}

// A call that a program computes is left alone.
func TestLivingHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		b.with(func(ctx context.Context, p *program) {
			ended := make(chan string)
			go func() {
				out, _, err := do[string](ctx, p, "wait", in{}, false)
				ended <- fmt.Sprint(out, err)
			}()
			synctest.Wait()
			before := b.keys(memokey.Format + "/")
			expectFate(b, everything, gc.Living)
			if after := b.keys(memokey.Format + "/"); fmt.Sprint(before) != fmt.Sprint(after) {
				t.Errorf("before %s, after %s", before, after)
			}
			close(p.gate)
			if got := <-ended; got != "waited<nil>" {
				t.Errorf("the call returned %s", got)
			}
		})
	})
}

// A success releases no lease: the result of a living session goes all the
// same, but not while a program may be about to read it.
func TestDoneByLivingSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		b.with(func(ctx context.Context, p *program) {
			must[string](b, p, "upper", in{Name: "a"})
			expectFate(b, everything, gc.Living)
			time.Sleep(2 * time.Hour)
			expectFate(b, everything, gc.Removed)
			began := time.Now()
			if _, how := must[string](b, p, "upper", in{Name: "a"}); how != "computed" || time.Since(began) > time.Second {
				t.Errorf("it was %s after %v", how, time.Since(began))
			}
			// One that is being computed again is left alone.
			time.Sleep(2 * time.Hour)
			place := memokey.Path("p", "upper", "1", keyOf(b))
			_, version, err := lease.Read(ctx, b.store, place+"/lease")
			if err != nil {
				t.Fatal(err)
			}
			state := lease.State{ID: runs.ID{LeaseID: lease.NewID()}, Status: lease.StatusHeld, Session: sessionOf(b)}
			if _, err := lease.Put(ctx, b.store, place+"/lease", version, state); err != nil {
				t.Fatal(err)
			}
			expectFate(b, everything, gc.Living)
		})
	})
}

// keyOf is the key of the only call.
func keyOf(b *table) memokey.Key {
	b.Helper()
	call, err := memokey.Parse(b.keys(memokey.Format + "/")[0])
	if err != nil {
		b.Fatal(err)
	}
	return call.Key
}

// sessionOf is the id of the only session.
func sessionOf(b *table) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(b.keys(lease.SessionPrefix)[0], lease.SessionPrefix), " ")
	return id
}

// A call without a result, whose lease is as someone left it.
func TestLeases(t *testing.T) {
	gone := process.Self()
	gone.PID, gone.Start = 1<<22+1, 1 // higher than any process has (proc(5), pid_max)
	sealed, err := record.Seal(record.KindLease, lease.State{Status: lease.StatusHeld}, nil)
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Replace(sealed, []byte("mops1"), []byte("mops2"), 1)
	held := func(change func(*lease.State)) *lease.State {
		state := lease.State{ID: runs.ID{LeaseID: lease.NewID()}, Status: lease.StatusHeld, Session: "dead", Orchestrator: "dead"}
		change(&state)
		return &state
	}
	for name, c := range map[string]struct {
		state *lease.State
		raw   []byte
		age   time.Duration
		want  gc.Fate
	}{
		"none":                              {want: gc.Removed},
		"damaged":                           {raw: sealed[:50], want: gc.Removed},
		"of a newer mops":                   {raw: newer, want: gc.Unreadable},
		"released":                          {state: held(func(s *lease.State) { s.Status = lease.StatusReleased }), want: gc.Removed},
		"of a dead session":                 {state: held(func(*lease.State) {}), want: gc.Removed},
		"handed to a Job":                   {state: held(func(s *lease.State) { s.Handle = "job/train-17" }), want: gc.HandedOver},
		"handed to a Job long ago":          {state: held(func(s *lease.State) { s.Handle = "job/train-17" }), age: 8 * day, want: gc.Removed},
		"of a worker that began and died":   {state: held(func(s *lease.State) { s.Handle, s.Session = "job/train-17", "dead, too" }), want: gc.Removed},
		"handed to a process that is gone":  {state: held(func(s *lease.State) { s.Handle = gone.String() }), want: gc.Removed},
		"handed to a process that is there": {state: held(func(s *lease.State) { s.Handle = process.Self().String() }), want: gc.HandedOver},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newTable(t)
				path := memokey.Path("p", "upper", "1", memokey.Key{1})
				put := func(name string, data []byte) {
					if _, err := b.store.PutBytes(t.Context(), path+"/"+name, data, blob.PutOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				put("invocation", []byte("x"))
				if c.raw != nil {
					put("lease", c.raw)
				}
				if c.state != nil {
					if _, err := lease.Put(t.Context(), b.store, path+"/lease", "", *c.state); err != nil {
						t.Fatal(err)
					}
				}
				o := everything
				if time.Sleep(c.age); c.age > 0 {
					o.Calls.Older = time.Hour
				}
				expectFate(b, o, c.want)
				if left := len(b.keys(memokey.Format + "/")); (left == 0) != (c.want == gc.Removed) {
					t.Errorf("%d blobs are left", left)
				}
			})
		})
	}
}

// A record that may name anything keeps all content, and gc names it; a damaged
// record keeps nothing, since programs take it for a miss.
func TestUnknownRecords(t *testing.T) {
	key := memokey.Key{1}
	path := memokey.Path("p", "upper", "1", key)
	hash := source.Hash{7}
	seal := func(kind record.Kind, sources string) []byte {
		t.Helper()
		header := fmt.Sprintf(`{"memo_key":%q,"run_id":"r","sources":%s}`, key, sources)
		data, err := record.Seal(kind, rawJSON(header), []byte{1})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	naming := `[{"hash":"x","kind":"file","size":1,"location":"` + source.BlobKey(hash) + `"}]`
	result := seal(record.KindResult, naming)
	for name, c := range map[string]struct {
		key      string
		data     []byte
		refused  bool
		contents int // that stay
	}{
		"sound":                   {path + "/result", result, false, 1},
		"a shared value":          {path + "/result", seal(record.KindResult, strings.Replace(naming, `"file"`, `"value"`, 1)), false, 1},
		"an invocation":           {path + "/invocation", seal(record.KindInvocation, naming), false, 1},
		"under another call":      {memokey.Path("p", "upper", "1", memokey.Key{2}) + "/result", result, false, 1},
		"names something else":    {path + "/result", seal(record.KindResult, "[]"), false, 0},
		"damaged":                 {path + "/result", result[:len(result)-1], false, 0},
		"with a big body":         {path + "/result", append(bytes.Clone(result), make([]byte, 100<<10)...), false, 1},
		"of a newer format":       {path + "/result", bytes.Replace(result, []byte("mops1"), []byte("mops2"), 1), true, 1},
		"a header of other types": {path + "/result", seal(record.KindResult, `"elsewhere"`), true, 1},
		"of another kind":         {path + "/result", seal("redirect", "[]"), true, 1},
		"with an unknown source":  {path + "/result", seal(record.KindResult, `[{"kind":"chunks","location":"x"}]`), true, 1},
		"an unknown record":       {path + "/redirect", seal("redirect", "[]"), true, 1},
		"an unknown file":         {path + "/.DS_Store", []byte("mops"), false, 0},
		"a file that is no call":  {"mops1/p/README", []byte("mops"), false, 0},
		"a record of no call":     {"mops1/p/index", seal("index", "[]"), true, 1},
		"a newer format's folder": {"mops2/x", nil, true, 1},
		"a newer format's blobs":  {"mops2-blobs/x", nil, true, 1},
		"a folder of the user's":  {"mopsy/x", nil, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newTable(t)
				for key, data := range map[string][]byte{c.key: c.data, source.BlobKey(hash): []byte("x")} {
					if _, err := b.store.PutBytes(t.Context(), key, data, blob.PutOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(100 * day)
				report, err := gc.Run(t.Context(), b.store, gc.Options{Content: true, Delete: true})
				if err != nil {
					t.Fatal(err)
				}
				said := strings.Join(report.Problems, "\n")
				where, _, _ := strings.Cut(c.key, "/x")
				if c.refused != (said != "") || c.refused && (!strings.Contains(said, b.store.URI(where)) || !strings.Contains(said, "no content is removed")) {
					t.Errorf("it said %q", said)
				}
				if left := len(b.keys(source.ContentPrefix)); left != c.contents {
					t.Errorf("%d blobs of content are left, want %d", left, c.contents)
				}
			})
		})
	}
}

type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }
