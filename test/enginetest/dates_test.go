//go:build linux || darwin

package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// shift moves all dates of a root: those of files, and what leases say.
func shift(t *testing.T, place string, by time.Duration) {
	t.Helper()
	ctx := context.Background()
	store, err := blob.Open(ctx, "file://"+place+"/root")
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range store.List(ctx, "mops1/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(info.Key, "/lease") {
			continue
		}
		state, version, err := lease.Read(ctx, store, info.Key)
		if err == nil {
			state.Since = state.Since.Add(by)
			_, err = lease.Put(ctx, store, info.Key, version, state)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	when := time.Now().Add(by)
	err = filepath.WalkDir(place+"/root", func(path string, _ fs.DirEntry, err error) error {
		// The first file of a blob is known by its date.
		if err == nil && strings.Contains(path, "~/") {
			err = os.Chtimes(path, when, when)
		}
		if errors.Is(err, fs.ErrNotExist) { // who lives renews its session
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A lease and a session that are dated an hour ahead or behind neither protect
// a holder that is dead nor cost one its lease that lives.
func TestWrongDates(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		for _, dead := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v dead=%t", by, dead), func(t *testing.T) {
				t.Parallel()
				place := t.TempDir()
				w := Work{Name: "a", Dir: place, Gate: true}
				jobs := Jobs{Jobs: []Job{{Work: w}}}
				holder := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
				awaitStarts(t, place, 1)
				if dead {
					holder.Kill()
				}
				shift(t, place, by)
				other := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place), telling)
				want := 1
				if dead {
					want = 2
					began := time.Now()
					enginetest.Eventually(t, patience, "the call is taken over", func() bool { return counts(t, w.tally())["a"] == 2 })
					t.Logf("taken over after %v", time.Since(began))
				} else {
					awaitSaid(t, saysWaits, 1, other)
					time.Sleep(1500 * time.Millisecond) // nothing is to happen in that
				}
				if err := w.openGate(); err != nil {
					t.Fatal(err)
				}
				if !dead {
					holder.Wait(patience)
					expect(t, holder, jobs)
				}
				other.Wait(patience)
				expect(t, other, jobs)
				if got := counts(t, w.tally())["a"]; got != want {
					t.Errorf("the function ran %d times, want %d", got, want)
				}
			})
		}
	}
}

// The holder on another host, of which only its silence tells that it is dead,
// loses its call after the time to live in its session, and not before.
func TestSilentHolderElsewhere(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t, Work{Name: "a", Dir: dir})
		b.mustCall("the first call")
		b.remove(b.path + "/result")
		elsewhere := process.Self()
		elsewhere.Host, elsewhere.Boot = "elsewhere", "another"
		const ttl = 24 * time.Second
		session := lease.SessionState{ID: lease.NewID(), State: lease.Live, Process: elsewhere.String(), TTLSeconds: ttl.Seconds(), RenewSeconds: 8, Nonce: lease.NewID()}
		data, err := record.Seal(record.KindSession, session, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.put(lease.SessionPrefix+session.ID, data)
		_, version, err := lease.Read(t.Context(), b.store, b.path+"/lease")
		if err != nil {
			t.Fatal(err)
		}
		held := lease.State{ID: runs.New(lease.NewID(), "inproc", ""), Status: lease.StatusHeld, Session: session.ID, Orchestrator: session.ID}
		if _, err := lease.Put(t.Context(), b.store, b.path+"/lease", version, held); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		b.mustCall("taken over")
		took := time.Since(began)
		t.Logf("taken over after %v", took)
		if took < ttl || took > 30*time.Second {
			t.Errorf("taken over after %v, want it between %v and 30 s", took, ttl)
		}
	})
}
