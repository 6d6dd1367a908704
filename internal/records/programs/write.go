package programs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// NewID names a run that begins now.
func NewID(now time.Time) string { return words.NewProgramRunID(now) }

// Writer writes the run of one process. Begin, Append (or Retry) and End may
// be called at the same time, each by one goroutine.
type Writer struct {
	Store  *blob.Store
	ID     string
	Worker string // the run id of the call whose function makes the calls; "" for the program

	next    int // number of the latest segment
	pending []byte
	failed  bool // to write it, as far as is known
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

// Append writes the next segment: the calls encoded by [Encode], one after another.
// It takes them over: if the store fails, what it was given is pending.
func (w *Writer) Append(ctx context.Context, state State, calls []byte) error {
	text, err := line(nil, state)
	if err != nil {
		return err
	}
	w.pending = append(text, calls...)
	for {
		w.next++
		err := w.Retry(ctx)
		if !blob.Is(err, blob.Exists) {
			return err
		}
	}
}

// Pending is the size of the segment that could not be written, in bytes.
func (w *Writer) Pending() int { return len(w.pending) }

// Retry writes the segment that is pending.
func (w *Writer) Retry(ctx context.Context) error {
	err := w.put(ctx, segmentKey(w.ID, w.Worker, w.next), w.pending, true)
	if blob.Is(err, blob.Exists) && w.failed {
		err = nil // it was written, and the answer was lost
	}
	w.failed = err != nil && !blob.Is(err, blob.Exists)
	if err == nil {
		w.pending = nil
	}
	return err
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
