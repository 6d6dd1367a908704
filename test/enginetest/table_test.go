//go:build linux || darwin

package enginetest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// table is a store in memory with one call in it, for tests that damage its records.
type table struct {
	t     *testing.T
	root  string
	store *blob.Store
	work  Work
	path  string // of the call
}

func newTable(t *testing.T, w Work) *table {
	t.Helper()
	root := "mem://table-" + strings.ToLower(rand.Text())
	store, err := blob.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return &table{t: t, root: root, store: store, work: w}
}

// env is an orchestrator of its own; end closes it.
func (b *table) env(options ...mops.EnvOption) (ctx context.Context, end func()) {
	b.t.Helper()
	options = append([]mops.EnvOption{mops.Isolated(), mops.Root(b.root), mops.LogTo(slog.New(slog.DiscardHandler))}, options...)
	env, err := mops.New(context.Background(), options...)
	if err != nil {
		b.t.Fatal(err)
	}
	return env.Context(context.Background()), func() {
		if err := env.Close(); err != nil {
			b.t.Errorf("close: %v", err)
		}
	}
}

// call makes the call in an orchestrator of its own, which ends before call returns.
func (b *table) call(options ...mops.Option) (string, error) {
	b.t.Helper()
	ctx, end := b.env()
	defer end()
	call, err := doWork.With(options...).Start(ctx, b.work)
	if err != nil {
		return "", err
	}
	answer, err := call.Wait(ctx)
	_, b.path, _ = strings.Cut(call.URI(), b.root+"/")
	return answer.Text, err
}

// mustCall fails the test where the call fails, or answers for another.
func (b *table) mustCall(what string, options ...mops.Option) string {
	b.t.Helper()
	text, err := b.call(options...)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	if name, _, _ := strings.Cut(text, " "); name != b.work.Name {
		b.t.Fatalf("%s: got %q", what, text)
	}
	return text
}

func (b *table) read(key string) []byte {
	b.t.Helper()
	data, _, err := b.store.ReadAll(b.t.Context(), key, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

func (b *table) put(key string, data []byte) {
	b.t.Helper()
	if _, err := b.store.PutBytes(b.t.Context(), key, data, blob.PutOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *table) remove(key string) {
	b.t.Helper()
	if err := b.store.Delete(b.t.Context(), key); err != nil {
		b.t.Fatal(err)
	}
}

// sound reports whether a record of a kind is there, whole.
func (b *table) sound(key string, kind record.Kind) bool {
	b.t.Helper()
	_, err := record.Open(kind, b.read(key))
	return err == nil
}

// damages yields a blob with all sorts of damage: cut off at every length, and
// with one bit flipped, one of every byte or, in a soak, all of them.
func damages(data []byte) func(yield func(what string, damaged []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for n := range data {
			if !yield(fmt.Sprintf("cut off after %d bytes", n), data[:n:n]) {
				return
			}
		}
		for i := range data {
			for bit := range 8 {
				if !soak && bit > 0 {
					break
				}
				if !soak {
					bit = mathrand.N(8)
				}
				damaged := bytes.Clone(data)
				damaged[i] ^= 1 << bit
				if !yield(fmt.Sprintf("bit %d of byte %d flipped", bit, i), damaged) {
					return
				}
			}
		}
		if !yield("with more behind", append(bytes.Clone(data), "x"...)) || !yield("garbage", []byte("garbage\x00\xff\n")) {
			return
		}
		yield("all zeros", make([]byte, len(data)))
	}
}
