package gc_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/gc"
)

// wrongOnce is a store that flips a bit in one answer with content, after so
// many others.
type wrongOnce struct {
	driver.Store
	bit int

	mu    sync.Mutex
	after int
}

func (w *wrongOnce) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	body, info, err := w.Store.Get(ctx, key, part)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.after--; err == nil && w.after == -1 {
		data, readErr := io.ReadAll(body)
		if len(data) > 0 {
			data[w.bit/8%len(data)] ^= 1 << (w.bit % 8)
		}
		body, err = io.NopCloser(strings.NewReader(string(data))), readErr
	}
	return body, info, err
}

// The kind of fault: an answer was wrong on its way. What a record names stays,
// even if gc read only a part of a longer record.
func TestNothingGoesForOneWrongBit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		b.with(func(ctx context.Context, p *program) {
			must[file](b, p, "pack", in{File: b.input("named")})
			must[string](b, p, "read", in{File: b.input("named, too"), Name: strings.Repeat("long ", 20_000)})
		})
		time.Sleep(61 * day)
		for after := range 20 {
			for bit := 0; bit < 8*800; bit += 61 {
				s := blob.New(b.store.Root(), &wrongOnce{Store: struct{ driver.Store }{b.store.Driver()}, bit: bit, after: after})
				report, err := gc.Run(t.Context(), s, gc.Options{Content: true})
				if err == nil && report.Content.Count > 0 {
					t.Errorf("with bit %d of answer %d wrong, content would go: %+v", bit, after, report.Content)
				}
			}
		}
	})
}
