package programs

import (
	"bytes"
	"context"
	"encoding/json"
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
	return w.put(ctx, headKey(w.ID), append(lines(head), '\n'), true)
}

// Append writes the next segment: the calls encoded by [Encode], one after another.
// It takes them over: if it fails, what it was given is pending.
func (w *Writer) Append(ctx context.Context, state State, calls []byte) error {
	w.pending = append(append(lines(state), '\n'), calls...)
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
	return w.put(ctx, endKey(w.ID), append(lines(end), '\n'), false)
}

func (w *Writer) put(ctx context.Context, key string, data []byte, ifAbsent bool) error {
	_, err := w.Store.PutBytes(ctx, key, data, blob.PutOptions{IfAbsent: ifAbsent})
	return err
}

// Encode appends the line of a call.
func Encode(to []byte, c Call) []byte { return append(append(to, lines(c)...), '\n') }

// lines is the JSON of a value of this package. Such values can always be encoded,
// but for fields of the user's, which are encoded before they get here.
func lines(v any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic("mops: a line of a run cannot be encoded: " + err.Error())
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'})
}
