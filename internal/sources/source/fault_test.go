package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// breaking takes half of a put and fails then.
type breaking struct{ driver.Store }

var errBroken = errors.New("the connection broke")

func (b breaking) Put(_ context.Context, _ string, body io.Reader, size int64, _ driver.PutOptions) (driver.Info, error) {
	if _, err := io.CopyN(io.Discard, body, size/2); err != nil {
		return driver.Info{}, err
	}
	return driver.Info{}, &driver.Error{Kind: driver.Unavailable, Err: errBroken}
}

func TestStoreBreaksInTheMiddle(t *testing.T) {
	bare := remoteStore(t)
	store := blob.New(bare.Root(), breaking{bare.Driver()})
	f, out := newFiles(t), t.TempDir()
	path := write(t, filepath.Join(out, "a"), pattern(3<<20))
	r, dir := File(path), Dir(out)
	if err := f.Resolve(t.Context(), []*Ref{r, dir}); err != nil {
		t.Fatal(err)
	}
	_, uploadErr := f.Upload(t.Context(), store, []*Ref{r}, 0)
	_, dirErr := f.Upload(t.Context(), store, []*Ref{dir}, 0)
	_, publishErr := f.Publish(t.Context(), store, callPrefix, "run1", out, []*Ref{r}, 0)
	for _, err := range []error{uploadErr, dirErr, publishErr} {
		wantError(t, err, path, "could not be stored")
		if !errors.Is(err, errBroken) || !blob.Is(err, blob.Unavailable) {
			t.Errorf("%v does not say why", err)
		}
	}
	// Nothing is left over that would keep the next try from working.
	if got := read(t, asArgument(t, f, bare, r)); got != pattern(3<<20) {
		t.Errorf("read %d bytes", len(got))
	}
}

// The store does the operation, and then says that it failed.
func TestLostAcknowledgement(t *testing.T) {
	bare := remoteStore(t)
	plan := blobtest.FaultPlan{Seed: 1, LoseAck: map[blobtest.Op]float64{blobtest.OpPut: 1}}
	f := newFiles(t)
	r := File(tempFile(t, "content"))
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Upload(t.Context(), blobtest.Faulty(bare, plan), []*Ref{r}, 0); err == nil {
		t.Error("the store failed, and nobody noticed")
	}
	if got := read(t, asArgument(t, f, bare, r)); got != "content" {
		t.Errorf("read %q", got)
	}
}

// A body that is cut on the way is no content.
func TestCutDownload(t *testing.T) {
	bare := remoteStore(t)
	f := newFiles(t)
	r := asArgument(t, f, bare, File(tempFile(t, pattern(2<<20))))
	id, _ := r.Identity()
	cut := must(Decode(must(r.MarshalCBOR())(t)))(t)
	if err := f.Bind(blobtest.Faulty(bare, blobtest.FaultPlan{Seed: 1, Cut: 1}), callPrefix, []*Ref{cut}, []Location{{id, BlobKey(id.Hash)}}); err != nil {
		t.Fatal(err)
	}
	if file, err := cut.Open(t.Context()); err == nil {
		file.Close()
		t.Error("half of a file was handed out")
	}
	if left, _ := os.ReadDir(filepath.Join(f.cache.Dir, "tmp")); len(left) > 0 {
		t.Errorf("left in the cache: %v", left)
	}
	if got := read(t, r); got != pattern(2<<20) {
		t.Errorf("read %d bytes", len(got))
	}
}

func TestCancelled(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f, out := newFiles(t), t.TempDir()
			r := File(write(t, filepath.Join(out, "a"), pattern(3<<20)))
			bound := asArgument(t, f, store, r)
			cancel()
			_, uploadErr := f.Upload(ctx, blob.New("mem://empty-"+name, remoteStore(t).Driver()), []*Ref{r}, 0)
			_, publishErr := f.Publish(ctx, store, callPrefix, "run1", out, []*Ref{r}, 0)
			for what, err := range map[string]error{"resolve": f.Resolve(ctx, []*Ref{r}), "upload": uploadErr, "publish": publishErr} {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v is not cancelled", what, err)
				}
			}
			if got := read(t, bound); got != pattern(3<<20) {
				t.Errorf("read %d bytes", len(got))
			}
		})
	}
}

// Whatever a store does, in the end everything is there, and right.
func TestUnreliableStore(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			often := map[blobtest.Op]float64{blobtest.OpAny: 0.2}
			store := blob.Retry(
				blobtest.Faulty(remoteStore(t), blobtest.FaultPlan{Seed: seed, Fail: often, LoseAck: often, Cut: 0.3}),
				blob.RetryPolicy{Tries: 50, First: time.Millisecond, Max: time.Millisecond})
			f, out := newFiles(t), t.TempDir()
			path, content := big(t)
			write(t, filepath.Join(out, "tree", "big"), content+"X")
			write(t, filepath.Join(out, "tree", "small"), "small")
			file := asArgument(t, f, store, File(path))
			tree := asResult(t, f, store, out, Dir(filepath.Join(out, "tree")))
			other := newFiles(t)
			for _, r := range []*Ref{file, tree} {
				r.files = other
			}
			open := func(r *Ref) string {
				for range 50 {
					path, err := r.Path(t.Context())
					if err == nil {
						return path
					}
					if !blob.Is(err, blob.Unavailable) {
						t.Fatal(err)
					}
				}
				t.Fatal("it never worked")
				return ""
			}
			dir := open(tree)
			for path, want := range map[string]string{open(file): content, dir + "/big": content + "X", dir + "/small": "small"} {
				if string(must(os.ReadFile(path))(t)) != want {
					t.Errorf("%s has another content", path)
				}
			}
		})
	}
}

// The kind of fault: a transfer that waits for one store to come back, for
// hours perhaps, keeps others waiting that do not use that store.
func TestWaitingHoldsNoSlot(t *testing.T) {
	failed := make(chan struct{}, 1)
	away := blob.Retry(blobtest.Faulty(localStore(t), blobtest.FaultPlan{Before: func(op blobtest.Op, _ string) error {
		if op != blobtest.OpPut {
			return nil
		}
		select {
		case failed <- struct{}{}:
		default:
		}
		return &driver.Error{Kind: driver.Unavailable, Err: errBroken}
	}}), blob.RetryPolicy{First: time.Hour, Max: time.Hour})
	f := newFilesWith(t, Options{CacheDir: filepath.Join(t.TempDir(), "cache"), CacheSize: 1 << 30})
	f.cpu = make(slots, 1)
	ctx, cancel := context.WithCancel(t.Context())
	patient := blob.Patient(ctx, blob.Patience{Since: time.Now().Add(-12 * time.Hour), Made: true})
	ended := make(chan error)
	upload := func(ctx context.Context, store *blob.Store, content string) error {
		r := File(tempFile(t, content))
		if err := f.Resolve(ctx, []*Ref{r}); err != nil {
			return err
		}
		_, err := f.Upload(ctx, store, []*Ref{r}, 0)
		return err
	}
	go func() { ended <- upload(patient, away, pattern(3<<20)) }()
	<-failed
	if err := upload(t.Context(), localStore(t), pattern(2<<20)); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if n := len(f.cpu); n != 0 {
		t.Errorf("%d slots are held", n)
	}
}
