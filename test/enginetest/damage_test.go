//go:build linux || darwin

package enginetest_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// A damaged result is computed again and replaced; it is never returned.
func TestDamagedResult(t *testing.T) {
	t.Parallel()
	b := newTable(t, Work{Name: "a", Dir: t.TempDir(), Chance: true})
	first := b.mustCall("the first call")
	sound := b.read(b.path + "/result")
	n := 0
	for what, damaged := range damages(sound) {
		n++
		b.put(b.path+"/result", damaged)
		text := b.mustCall(what)
		if text == first {
			t.Fatalf("%s: the call returned what was damaged", what)
		}
		if !b.sound(b.path+"/result", record.KindResult) {
			t.Fatalf("%s: it was not replaced", what)
		}
		if again := b.mustCall(what); again != text {
			t.Fatalf("%s: replaced by %q, then read as %q", what, text, again)
		}
	}
	if ran := counts(t, b.work.tally())["a"]; ran != n+1 {
		t.Errorf("%d damages led to %d runs", n, ran-1)
	}
	t.Logf("%d damages of a result of %d bytes", n, len(sound))
}

// So is one that was damaged while its holder lives.
func TestDamagedResultOfLiveHolder(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { damagedResultOfLiveHolder(t, dir) })
}

func damagedResultOfLiveHolder(t *testing.T, dir string) {
	b := newTable(t, Work{Name: "a", Dir: dir, Chance: true})
	first := b.mustCall("the first call")
	b.remove(b.path + "/result")
	b.remove(b.path + "/lease")
	ctx, end := b.env()
	defer end()
	if _, err := doWork.Call(ctx, b.work); err != nil {
		t.Fatal(err)
	}
	b.put(b.path+"/result", b.read(b.path + "/result")[:100])
	began := time.Now()
	if text := b.mustCall("elsewhere"); text == first {
		t.Error("the call returned what was damaged")
	}
	// Removed together with its lease, or alone where its holder asks.
	b.remove(b.path + "/result")
	if _, err := doWork.Call(ctx, b.work); err != nil {
		t.Error(err)
	}
	b.remove(b.path + "/result")
	if _, err := doWork.Call(ctx, b.work); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A damaged invocation is replaced by who computes the call.
func TestDamagedInvocation(t *testing.T) {
	t.Parallel()
	b := newTable(t, Work{Name: "a", Dir: t.TempDir(), Chance: true})
	b.mustCall("the first call")
	sound := b.read(b.path + "/invocation")
	n := 0
	for what, damaged := range damages(sound) {
		n++
		b.remove(b.path + "/result")
		b.put(b.path+"/invocation", damaged)
		b.mustCall(what)
		if !b.sound(b.path+"/invocation", record.KindInvocation) {
			t.Fatalf("%s: it was not replaced", what)
		}
	}
	t.Logf("%d damages of an invocation of %d bytes", n, len(sound))
}

// A damaged error is none: the function runs again, and its error is replaced.
func TestDamagedError(t *testing.T) {
	t.Parallel()
	b := newTable(t, Work{Name: "a", Dir: t.TempDir(), End: "fail"})
	_, first := b.call(mops.KeepErrors())
	if _, again := b.call(mops.KeepErrors()); kindOf(again) != "func" || again.Error() != first.Error() {
		t.Fatalf("a kept error: %v, and then %v", first, again)
	}
	sound := b.read(b.path + "/error")
	before, n := counts(t, b.work.tally())["a"], 0
	for what, damaged := range damages(sound) {
		n++
		b.put(b.path+"/error", damaged)
		if _, err := b.call(mops.KeepErrors()); kindOf(err) != "func" || !strings.Contains(err.Error(), "a failed on purpose") || err.Error() == first.Error() {
			t.Fatalf("%s: %v", what, err)
		}
		if !b.sound(b.path+"/error", record.KindError) {
			t.Fatalf("%s: it was not replaced", what)
		}
	}
	if ran := counts(t, b.work.tally())["a"] - before; ran != n {
		t.Errorf("%d damages led to %d runs", n, ran)
	}
	t.Logf("%d damages of an error of %d bytes", n, len(sound))
}

// A damaged lease keeps nobody from computing, whatever it said before.
func TestDamagedLease(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { damagedLease(t, dir) })
}

func damagedLease(t *testing.T, dir string) {
	b := newTable(t, Work{Name: "a", Dir: dir, Chance: true})
	b.mustCall("the first call")
	sound := b.read(b.path + "/lease")
	n, slowest := 0, time.Duration(0)
	for what, damaged := range damages(sound) {
		n++
		b.remove(b.path + "/result")
		b.put(b.path+"/lease", damaged)
		began := time.Now()
		b.mustCall(what)
		slowest = max(slowest, time.Since(began))
		if !b.sound(b.path+"/lease", record.KindLease) {
			t.Fatalf("%s: it was not replaced", what)
		}
	}
	t.Logf("%d damages of a lease of %d bytes, the slowest call took %v", n, len(sound), slowest)
	if slowest > 2*time.Second {
		t.Errorf("a call took %v", slowest)
	}
}

// A damaged session is dead: its calls are taken over, and its owner learns of
// it. Both get the same result.
func TestDamagedSession(t *testing.T) {
	dir := t.TempDir()
	n := 0
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t, Work{Name: "a", Dir: dir, Chance: true, Sleep: time.Minute})
		holder := func() (id string, wait func() string) {
			ctx, end := b.env()
			call, err := doWork.Start(ctx, b.work)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // it computes
			_, b.path, _ = strings.Cut(call.URI(), b.root+"/")
			state, _, err := lease.Read(ctx, b.store, b.path+"/lease")
			if err != nil {
				t.Fatal(err)
			}
			return state.Session, func() string {
				defer end()
				answer, err := call.Wait(ctx)
				if err != nil {
					t.Errorf("the holder whose session was damaged: %v", err)
				}
				return answer.Text
			}
		}
		_, wait := holder()
		wait()
		for i := 0; ; i++ {
			b.remove(b.path + "/result")
			id, wait := holder()
			key := lease.SessionPrefix + id
			what, damaged := nthDamage(b.read(key), i)
			if what == "" {
				wait()
				break
			}
			b.put(key, damaged)
			mine, his := b.mustCall(what), wait()
			if mine != his {
				t.Fatalf("%s: two results, %q and %q", what, mine, his)
			}
			n++
		}
	})
	t.Logf("%d damages of a session", n)
}

// nthDamage is one of damages; "" beyond the last. A session differs each time, but not in its length.
func nthDamage(data []byte, n int) (what string, damaged []byte) {
	every := 7 // each is a run of two orchestrators
	if soak {
		every = 1
	}
	i := 0
	for what, damaged := range damages(data) {
		if i == n*every {
			return what, damaged
		}
		i++
	}
	return "", nil
}

// A record of a later format is refused and left alone.
func TestLaterFormat(t *testing.T) {
	for _, c := range []struct {
		name, blob string
		end        string
		remove     []string
		options    []mops.Option
	}{
		{"result", "result", "", nil, nil},
		{"invocation", "invocation", "", []string{"result"}, nil},
		{"lease", "lease", "", []string{"result"}, nil},
		{"error", "error", "fail", nil, []mops.Option{mops.KeepErrors()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newTable(t, Work{Name: "a", Dir: t.TempDir(), End: c.end})
			b.call()
			for _, name := range c.remove {
				b.remove(b.path + "/" + name)
			}
			key := b.path + "/" + c.blob
			later := bytes.Replace(b.read(key), []byte("mops1"), []byte("mops2"), 1)
			b.put(key, later)
			ran := counts(t, b.work.tally())["a"]
			_, err := b.call(c.options...)
			if err == nil || !strings.Contains(err.Error(), "mops2") || !strings.Contains(err.Error(), key) {
				t.Errorf("the error does not say which record is of which format: %v", err)
			}
			t.Log(err)
			if !bytes.Equal(b.read(key), later) {
				t.Error("the record was changed")
			}
			if got := counts(t, b.work.tally())["a"]; got != ran {
				t.Error("the function ran")
			}
		})
	}
}

// A record that was copied from another call is refused and left alone; a lease
// protects nothing and is replaced.
func TestCopiedRecord(t *testing.T) {
	for _, c := range []struct {
		blob, end string
		remove    []string
		options   []mops.Option
		replaced  bool
	}{
		{"result", "", nil, nil, false},
		{"invocation", "", []string{"result"}, nil, false},
		{"error", "fail", nil, []mops.Option{mops.KeepErrors()}, false},
		{"lease", "", []string{"result"}, nil, true},
	} {
		t.Run(c.blob, func(t *testing.T) {
			dir := t.TempDir()
			b := newTable(t, Work{Name: "b", Dir: dir, End: c.end})
			b.call()
			foreign := b.read(b.path + "/" + c.blob)
			b.work.Name = "a"
			b.call()
			for _, name := range c.remove {
				b.remove(b.path + "/" + name)
			}
			key := b.path + "/" + c.blob
			b.put(key, foreign)
			text, err := b.call(c.options...)
			if c.replaced {
				if err != nil || text != "a" || !b.sound(key, record.KindLease) {
					t.Errorf("got %q, %v", text, err)
				}
				return
			}
			if err == nil || kindOf(err) == "func" || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "copied or renamed") {
				t.Errorf("got %q, %v", text, err)
			}
			t.Log(err)
			if !bytes.Equal(b.read(key), foreign) {
				t.Error("the record was changed")
			}
		})
	}
}
