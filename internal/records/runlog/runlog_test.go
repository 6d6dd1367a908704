package runlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

const prefix = "call/runs/2611232336-VoiceCushion.log"

func newStore() *blob.Store { return blob.New("mem://runlog", memblob.New()) }

func read(t *testing.T, store *blob.Store) (log string, chunks int) {
	t.Helper()
	var out bytes.Buffer
	next, err := Copy(context.Background(), &out, store, prefix, 1)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), next - 1
}

func TestWhatIsPrintedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in real time it may take longer than a chunk waits
		store := newStore()
		w := NewWriter(store, prefix, 1, slog.New(slog.DiscardHandler))
		for i := range 100 {
			fmt.Fprintln(w, "line", i)
		}
		w.Close(t.Context())
		log, chunks := read(t, store)
		if chunks != 1 || !strings.HasPrefix(log, "line 0\n") || !strings.HasSuffix(log, "line 99\n") {
			t.Errorf("%d chunks: %q", chunks, log)
		}
	})
}

// Orchestrator and worker may both be at it when the one lets go of the other.
func TestTwoWritersLoseNothing(t *testing.T) {
	store := newStore()
	for _, words := range []string{"the orchestrator's\n", "the worker's\n"} {
		w := NewWriter(store, prefix, 1, slog.New(slog.DiscardHandler))
		w.Write([]byte(words))
		w.Close(t.Context())
	}
	if log, chunks := read(t, store); chunks != 2 || log != "the orchestrator's\nthe worker's\n" {
		t.Errorf("%d chunks: %q", chunks, log)
	}
}

// What cannot be a chunk takes no memory, and does not hide the others.
func TestAHugeChunkIsLeftOut(t *testing.T) {
	store := newStore()
	for n, text := range []string{"first\n", strings.Repeat("x", mostChunk+1), "last\n"} {
		if _, err := store.PutBytes(t.Context(), fmt.Sprintf("%s/%06d", prefix, n+1), []byte(text), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	log, chunks := read(t, store)
	if chunks != 3 || !strings.HasPrefix(log, "first\n") || !strings.HasSuffix(log, "last\n") || !strings.Contains(log, prefix+"/000002") || len(log) > 1000 {
		t.Errorf("%d chunks: %.500q", chunks, log)
	}
	// The largest that a writer makes is read.
	store = newStore()
	w := NewWriter(store, prefix, 1, slog.New(slog.DiscardHandler))
	w.Write(bytes.Repeat([]byte("x"), keepFirst+3*keepLast))
	w.Close(t.Context())
	if log, _ := read(t, store); len(log) < keepFirst+keepLast || strings.Contains(log, "left out here]\n\n") {
		t.Errorf("%d bytes came back", len(log))
	}
}

func TestNothingPrintedIsNothingKept(t *testing.T) {
	store, counter := blobcount.New(newStore())
	w := NewWriter(store, prefix, 1, slog.New(slog.DiscardHandler))
	w.Write(nil)
	w.Close(t.Context())
	if n := counter.Counts().Total(); n != 0 {
		t.Errorf("%d operations for a run that printed nothing", n)
	}
}

// The process that writes may be killed at any moment, so what is printed is in
// the store soon; and a run of hours does not leave a chunk a second.
func TestChunksComeSoonAndThenSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		w := NewWriter(store, prefix, 1, slog.New(slog.DiscardHandler))
		w.Write([]byte("first words\n"))
		time.Sleep(firstDelay + time.Millisecond)
		synctest.Wait()
		if log, _ := read(t, store); log != "first words\n" {
			t.Errorf("after %v there is %q", firstDelay, log)
		}
		for range 3600 {
			w.Write([]byte("."))
			time.Sleep(time.Second)
		}
		w.Close(t.Context())
		log, chunks := read(t, store)
		if most := int(time.Hour/lastDelay) + 10; chunks > most {
			t.Errorf("an hour left %d chunks, more than %d", chunks, most)
		}
		if !strings.HasSuffix(log, strings.Repeat(".", 3600)) {
			t.Error("something is missing")
		}
	})
}

// A run that prints without end keeps its beginning and its last words, in
// bounded memory.
func TestTooMuch(t *testing.T) {
	store := newStore()
	w := NewWriter(store, prefix, 1, slog.New(slog.DiscardHandler))
	w.Write([]byte("first words\n"))
	block := bytes.Repeat([]byte("x"), 64<<10)
	for range (keepFirst + 8*keepLast) / len(block) {
		w.Write(block)
	}
	if held := w.tail.Len(); held > 2*keepLast {
		t.Errorf("%d bytes of the end are held", held)
	}
	w.Write([]byte("last words\n"))
	w.Close(t.Context())
	log, _ := read(t, store)
	if !strings.HasPrefix(log, "first words\n") || !strings.HasSuffix(log, "last words\n") || !strings.Contains(log, "bytes left out here]") {
		t.Errorf("the log of %d bytes lacks its beginning, its end, or the note between", len(log))
	}
	if len(log) > keepFirst+2*keepLast+100 {
		t.Errorf("%d bytes were kept", len(log))
	}
}

// Who goes on with a log begins behind the chunks that are there.
func TestNext(t *testing.T) {
	store := newStore()
	for first, words := range []string{1: "one ", 2: "two ", 3: "three"} {
		if words == "" {
			continue
		}
		next, err := Next(t.Context(), store, prefix)
		if err != nil || next != first {
			t.Fatalf("next is %d, %v; want %d", next, err, first)
		}
		w := NewWriter(store, prefix, next, slog.New(slog.DiscardHandler))
		w.Write([]byte(words))
		w.Close(t.Context())
	}
	if log, chunks := read(t, store); log != "one two three" || chunks != 3 {
		t.Errorf("%d chunks: %q", chunks, log)
	}
}

// A store that fails costs the log, not the run; it is reported once.
func TestFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		puts := 0
		plan := blobtest.FaultPlan{Before: func(op blobtest.Op, key string) error { puts++; return errors.New("out of order") }}
		w := NewWriter(blobtest.Faulty(newStore(), plan), prefix, 1, slog.New(slog.NewTextHandler(&said, nil)))
		for range 3 {
			w.Write(make([]byte, chunkSize))
			synctest.Wait()
		}
		w.Close(t.Context())
		if n := strings.Count(said.String(), "could not be kept"); n != 1 || puts < 3 {
			t.Errorf("the failure of %d chunks was reported %d times: %s", puts, n, &said)
		}
	})
}

// The store is away for an hour, and the run that prints goes on or ends
// meanwhile: its log waits.
func TestOutage(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to time.Duration // the outage
		lives    time.Duration // the run
		cancel   time.Duration // of the run, where that is not 0
		kept     bool
	}{
		{"within the run", time.Minute, time.Hour, 2 * time.Hour, 0, true},
		{"at the end", time.Hour, 90 * time.Minute, 61 * time.Minute, 0, true},
		{"longer than the run took", time.Hour, 5 * time.Hour, 61 * time.Minute, 0, false},
		{"a moment at the end of a short one", time.Second, 40 * time.Second, 2 * time.Second, 0, true},
		{"longer than a short one", time.Second, 5 * time.Hour, 10 * time.Second, 0, false},
		{"cancelled at the end", time.Hour, 90 * time.Minute, 61 * time.Minute, 62 * time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				away := func(blobtest.Op, string) error {
					if at := time.Since(began); at >= c.from && at < c.to {
						return &driver.Error{Kind: driver.Unavailable, Err: errors.New("away")}
					}
					return nil
				}
				below := newStore()
				w := NewWriter(blob.Retry(blobtest.Faulty(below, blobtest.FaultPlan{Before: away}), blob.RetryPolicy{}), prefix, 1, slog.New(slog.DiscardHandler))
				ctx := t.Context()
				if c.cancel > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.cancel)
					defer cancel()
				}
				want := ""
				for i := 0; time.Since(began) < c.lives; i++ {
					line := fmt.Sprintln("line", i)
					w.Write([]byte(line))
					want += line
					time.Sleep(c.lives / 100)
				}
				closing := time.Now()
				w.Close(ctx)
				if took := time.Since(closing); c.cancel > 0 && took > c.cancel-c.lives+2*lastWords {
					t.Errorf("a log of a run that was cancelled kept it for %v", took)
				}
				if took := time.Since(closing); !c.kept && took > max(3*c.lives/2, 80*time.Second) && c.cancel == 0 {
					t.Errorf("the store was waited for %v, after %v of printing", took, c.lives)
				}
				if log, _ := read(t, below); (log == want) != c.kept {
					t.Errorf("of %d bytes %d were kept; all: want %v", len(want), len(log), c.kept)
				}
			})
		})
	}
}
