package programs

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Writer writes the run of one process. It is for one goroutine at a time. A method
// that failed may be called again with the same or with more.
type Writer struct {
	Store  *blob.Store
	ID     string
	Worker string // the run id of the call whose function makes the calls; "" for the program
	next   int
}

// Begin writes the head. If there is a run of this id already, the error's kind is
// [blob.Exists].
func (w *Writer) Begin(ctx context.Context, head Head) error {
	head.Format, head.ID = Format, w.ID
	return w.put(ctx, headKey(w.ID), append(lines(head), '\n'), true)
}

// Append writes the next segment: the calls encoded by [Encode], one after another.
func (w *Writer) Append(ctx context.Context, state State, calls []byte) error {
	data := append(append(lines(state), '\n'), calls...)
	for {
		err := w.put(ctx, segmentKey(w.ID, w.Worker, w.next+1), data, true)
		if err == nil || blob.Is(err, blob.Exists) {
			w.next++
		}
		if !blob.Is(err, blob.Exists) {
			return err
		}
	}
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
