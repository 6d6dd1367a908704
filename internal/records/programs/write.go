package programs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// NewID names a run that begins now.
func NewID(now time.Time) string { return words.NewProgramRunID(now) }

// Writer writes the run of one process. Begin, Append and End may be called at the same time, each by one goroutine.
type Writer struct {
	Store  *blob.Store
	ID     string
	Worker string // the run id of the call whose function makes the calls; "" for the program

	number int    // of the latest segment, written or not
	part   int    // number of the first one with the same calls
	calls  []byte // of the part, and those that could not be written
	parts  int
	old    []int // segments of the part that are there
	tried  bool  // the latest may be there: the answer did not come
	behind bool
	keeps  bool // nothing may be deleted
}

// Begin writes the head. If there is a run of this id already, the error's kind is
// [blob.Exists].
func (w *Writer) Begin(ctx context.Context, head Head) error {
	head.Format, head.ID = Format, w.ID
	text, err := line(nil, head)
	if err != nil {
		return err
	}
	return w.put(ctx, headKey(w.ID), text, true)
}

// A part grows to a size that depends on how many there are: those of a short run are
// written a few times, and a long run leaves few.
const (
	partSize = 64 << 10 // bytes, times the number of parts
	largest  = 4 << 20
)

// Append writes the next segment, with the calls encoded by [Encode], one after
// another, behind those of the part, and removes what it replaces. It takes the calls
// over: if it fails, they are written with the next ones, or with none.
func (w *Writer) Append(ctx context.Context, state State, calls []byte) error {
	if !w.behind {
		w.number++
		if w.part == 0 || w.keeps || len(w.calls) >= min(w.parts*partSize, largest) {
			w.part, w.parts, w.calls, w.old = w.number, w.parts+1, nil, nil
		}
	}
	w.calls = append(w.calls, calls...)
	err := w.write(ctx, state)
	w.behind = err != nil
	return err
}

// Seal has the next Append begin a part, so that it is one put and removes nothing.
func (w *Writer) Seal() {
	if !w.behind {
		w.part = 0
	}
}

// Behind reports whether there are calls that Append could not write.
func (w *Writer) Behind() bool { return w.behind }

func (w *Writer) write(ctx context.Context, state State) error {
	for {
		if state.Part = w.part; w.part == w.number {
			state.Part = 0
		}
		text, err := line(nil, state)
		if err != nil {
			return err
		}
		err = w.put(ctx, segmentKey(w.ID, w.Worker, w.number), slices.Concat(text, w.calls), true)
		if !blob.Is(err, blob.Exists) {
			if w.tried = err != nil; !w.tried {
				w.replace(ctx)
			}
			return err
		}
		switch {
		case w.tried: // it was written, and the answer was lost
			w.old = append(w.old, w.number)
		case w.number == w.part: // somebody else's: of an earlier process for the same call
			w.part++
		}
		w.tried = false
		w.number++
	}
}

// replace removes the segments of the part that are there already.
func (w *Writer) replace(ctx context.Context) {
	left := []int{w.number}
	for _, n := range w.old {
		err := w.Store.Delete(ctx, segmentKey(w.ID, w.Worker, n))
		if err != nil {
			left = append(left, n)
		}
		w.keeps = w.keeps || blob.Is(err, blob.Denied)
	}
	w.old = left
}

// End writes how the run ended.
func (w *Writer) End(ctx context.Context, end End) error {
	text, err := line(nil, end)
	if err != nil {
		return err
	}
	return w.put(ctx, endKey(w.ID), text, false)
}

func (w *Writer) put(ctx context.Context, key string, data []byte, ifAbsent bool) error {
	_, err := w.Store.PutBytes(ctx, key, data, blob.PutOptions{IfAbsent: ifAbsent})
	return err
}

// Encode appends the line of a call. If that cannot be encoded, such as a number of
// seconds that is none, it returns what it was given, and an error.
func Encode(to []byte, c Call) ([]byte, error) { return line(to, c) }

// line appends the JSON of a value of this package, and the end of a line.
func line(to []byte, v any) ([]byte, error) {
	out := bytes.NewBuffer(to)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return to, fmt.Errorf("a line of a run cannot be encoded: %w", err)
	}
	return out.Bytes(), nil
}
