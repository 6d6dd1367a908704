package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// cleanTime bounds how long is tried to remove what was written.
const cleanTime = time.Minute

func newExam(bare *blob.Store, o Options) *exam {
	n := &notes{inner: bare.Driver(), keys: map[string]bool{}} // without a driver nothing is ever asked
	noted := blob.New(bare.Root(), driver.Like(n.inner, n))
	policy := blob.RetryPolicy{}
	if bare.IsLocal() {
		policy.Tries = 3
	}
	return &exam{
		Options: o, once: noted, store: blob.Retry(noted, policy), notes: n,
		prefix: Prefix + strings.ToLower(rand.Text()) + "/",
		report: NewReport(),
	}
}

// clean removes all that was written. It goes by what was noted and by what is
// listed, since the store may be wrong about its lists; and what was written at the
// very end may show late, so it looks again.
func (e *exam) clean(ctx context.Context) {
	e.Progress.Begin("cleaning up", 0)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	began := time.Now()
	keys := e.notes.take()
	if len(keys) == 0 {
		return // nothing was written, and a store that cannot be reached lists nothing
	}
	var left map[string]error
	for range 3 {
		for info, err := range e.store.List(ctx, e.prefix, "") {
			if err != nil {
				break
			}
			keys[info.Key] = true
		}
		if len(keys) == 0 {
			break
		}
		left = e.remove(ctx, keys)
		keys = e.notes.take()
		for key := range left {
			keys[key] = true
		}
	}
	line := Line{Name: "clean", Verdict: Pass, Rule: "Nothing is left behind.", Seconds: time.Since(began).Seconds()}
	if len(left) > 0 {
		for _, key := range slices.Sorted(maps.Keys(left)) {
			e.report.LeftBehind = append(e.report.LeftBehind, e.store.URI(key))
		}
		first := e.report.LeftBehind[0]
		line.Verdict = Fail
		line.Found = fmt.Sprintf("%d blobs could not be removed, among them %s: %v", len(left), first, left[slices.Min(slices.Collect(maps.Keys(left)))])
		line.ToDo = "remove what is below " + strings.TrimSuffix(e.store.URI(e.prefix), "/") + " by hand; mops gc --remains --delete removes it a day later, once it may"
	}
	e.say(line)
}

// remove deletes blobs, and returns those that may still be there.
func (e *exam) remove(ctx context.Context, keys map[string]bool) map[string]error {
	left := map[string]error{}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(2 * sideBySide)
	for key := range keys {
		group.Go(func() error {
			if err := e.store.Delete(ctx, key); err != nil {
				mu.Lock()
				defer mu.Unlock()
				left[key] = err
			}
			return nil
		})
	}
	group.Wait()
	for key := range left {
		if _, err := e.store.Stat(ctx, key); blob.Is(err, blob.NotFound) {
			delete(left, key)
		}
	}
	return left
}

// notes passes all operations on, and notes what was written, or may have been.
type notes struct {
	inner driver.Store

	faults atomic.Int64 // operations that were not possible for the moment

	mu   sync.Mutex
	keys map[string]bool
}

// see counts faults.
func (n *notes) see(err error) error {
	if kind := blob.KindOf(err); kind == blob.Unavailable || kind == blob.Throttled {
		n.faults.Add(1)
	}
	return err
}

// take returns the keys that were noted, and forgets them.
func (n *notes) take() map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys := n.keys
	n.keys = map[string]bool{}
	return keys
}

func (n *notes) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	info, err := n.inner.Put(ctx, key, body, size, opts)
	switch blob.KindOf(err) {
	case blob.Denied, blob.Invalid, blob.NotFound, blob.Exists, blob.Mismatch: // it was refused
	default:
		n.mu.Lock()
		n.keys[key] = true
		n.mu.Unlock()
	}
	return info, n.see(err)
}

func (n *notes) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	body, info, err := n.inner.Get(ctx, key, part)
	return body, info, n.see(err)
}

func (n *notes) Stat(ctx context.Context, key string) (driver.Info, error) {
	info, err := n.inner.Stat(ctx, key)
	return info, n.see(err)
}

func (n *notes) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return n.inner.List(ctx, prefix, startAt)
}

func (n *notes) Delete(ctx context.Context, key string) error {
	return n.see(n.inner.Delete(ctx, key))
}

func (n *notes) Close() error { return n.inner.Close() }

// The rest is called only where the inner store can do it; see driver.Like.

func (n *notes) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	data, info, err := n.inner.(driver.Slurper).Slurp(ctx, key, buf, limit)
	return data, info, n.see(err)
}

func (n *notes) Now(ctx context.Context) (time.Time, error) { return n.inner.(driver.Clock).Now(ctx) }

func (n *notes) LocalPath(ctx context.Context, key string) (string, error) {
	return n.inner.(driver.Local).LocalPath(ctx, key)
}
