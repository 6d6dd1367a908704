// Package usage keeps what a worker uses while it runs, in samples that lie beside
// the log of the run: so that one that is slow, or swaps, shows before it has ended.
// The worker writes them; the pages of a run read them.
package usage

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// Series is what a run used, as its blob has it: a line of JSON. Its lists are of one
// length.
type Series struct {
	Format  string    `json:"format"`        // see the constant Format
	Began   time.Time `json:"began"`         // by the clock of the worker
	Seconds []float64 `json:"seconds"`       // since then, of each sample
	CPU     []float64 `json:"cpu_seconds"`   // used since then
	Memory  []int64   `json:"memory_bytes"`  // resident at that moment; 0 if unknown
	Swapped []int64   `json:"swapped_bytes"` // at that moment
}

// Format is the first word of a series.
const Format = "mops1-usage"

const (
	every   = 2 * time.Second // between the first samples
	most    = 120             // samples that are kept; after that every second one goes
	first   = 2 * every       // until the series is written first: shorter runs leave none
	slowest = time.Minute     // between two writes of a long run
	limit   = 1 << 20         // bytes of a series that is read
	lastPut = 2 * time.Second
)

// Keep takes samples and writes them to the key until the returned function is
// called, which waits for the last write. A run that is shorter than 4 s leaves
// nothing; of a longer one at most 120 samples are kept, and the older it is the
// less often they are written. Nobody needs them to go on, so a write that fails is
// a line in the log.
func Keep(ctx context.Context, store *blob.Store, key string, now func() process.Use, log *slog.Logger) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		k := keeper{store: store, key: key, now: now, log: log, began: time.Now(), every: every}
		k.start = now().CPU
		k.run(ctx)
	}()
	return func() { cancel(); <-done }
}

type keeper struct {
	store  *blob.Store
	key    string
	now    func() process.Use
	log    *slog.Logger
	start  time.Duration // CPU time
	began  time.Time
	every  time.Duration
	series Series
	put    time.Duration // since began, of the last write; 0 before
}

func (k *keeper) run(ctx context.Context) {
	k.series = Series{Format: Format, Began: k.began.UTC().Truncate(time.Millisecond)}
	timer := time.NewTimer(k.every)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			if k.put > 0 {
				k.sample()
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPut)
				k.write(ctx)
				cancel()
			}
			return
		}
		age := k.sample()
		if age >= first && age-k.put >= min(max(age/8, first), slowest) {
			k.put = age
			k.write(ctx)
		}
		timer.Reset(k.every)
	}
}

// sample adds one, and thins all out when there are too many.
func (k *keeper) sample() (age time.Duration) {
	use := k.now()
	age = time.Since(k.began)
	s := &k.series
	s.Seconds = append(s.Seconds, rounded(age))
	s.CPU = append(s.CPU, rounded(use.CPU-k.start))
	s.Memory = append(s.Memory, use.Memory)
	s.Swapped = append(s.Swapped, use.Swapped)
	if len(s.Seconds) > most {
		s.Seconds, s.CPU = everySecond(s.Seconds), everySecond(s.CPU)
		s.Memory, s.Swapped = everySecond(s.Memory), everySecond(s.Swapped)
		k.every *= 2
	}
	return age
}

func rounded(d time.Duration) float64 { return d.Round(10 * time.Millisecond).Seconds() }

// everySecond keeps the first, the third and so on, in place.
func everySecond[T any](list []T) []T {
	for i := 0; i < len(list); i += 2 {
		list[i/2] = list[i]
	}
	return list[:(len(list)+1)/2]
}

func (k *keeper) write(ctx context.Context) {
	text, err := json.Marshal(k.series)
	if err == nil {
		_, err = k.store.PutBytes(ctx, k.key, append(text, '\n'), blob.PutOptions{})
	}
	if err != nil && ctx.Err() == nil {
		k.log.Debug("what a worker uses could not be noted", "blob", k.store.URI(k.key), "error", err)
	}
}

// Read reads the series of a run. The error says blob.NotFound where there is none,
// as of every short run.
func Read(ctx context.Context, store *blob.Store, key string) (s Series, err error) {
	data, _, err := store.ReadUpTo(ctx, key, nil, limit)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return Series{}, fmt.Errorf("%s does not say what a run used: %w", store.URI(key), err)
	}
	n := len(s.Seconds)
	if s.Format != Format || len(s.CPU) != n || len(s.Memory) != n || len(s.Swapped) != n {
		return Series{}, fmt.Errorf("%s is not a series of format %s", store.URI(key), Format)
	}
	return s, nil
}
