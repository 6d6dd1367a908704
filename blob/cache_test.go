package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// keepAll is the policy of a cache that keeps every blob.
func keepAll(dir string) blob.CachePolicy {
	return blob.CachePolicy{
		Dir: dir, Size: 64 << 20,
		Selects: func(string) bool { return true }, Sound: func(string, []byte) bool { return true },
	}
}

func TestCacheConforms(t *testing.T) {
	for name, inner := range map[string]func() driver.Store{
		"slurping": func() driver.Store { return memblob.New() },
		"bare":     func() driver.Store { return bare{memblob.New()} },
	} {
		for _, size := range []int64{0, 64 << 20} {
			t.Run(name, func(t *testing.T) {
				blobtest.Run(t, func(t *testing.T) *blob.Store {
					policy := keepAll(t.TempDir())
					policy.Size = size
					s := blob.Cache(blob.New("mem://test", inner()), policy)
					t.Cleanup(func() { s.Close() })
					return s
				})
			})
		}
	}
}

// rig is a store that counts, with a cache before it.
type rig struct {
	below, store *blob.Store
	counter      *blobcount.Counter
	policy       blob.CachePolicy
	logged       bytes.Buffer
}

func newRig(t *testing.T) *rig {
	r := &rig{below: newMem(), policy: keepAll(filepath.Join(t.TempDir(), "cache"))}
	r.policy.Log = slog.New(slog.NewTextHandler(&r.logged, nil))
	counted, counter := blobcount.New(r.below)
	r.counter, r.store = counter, blob.Cache(counted, r.policy)
	return r
}

// reads fails the test unless the blob reads as content, with that many
// operations.
func (r *rig) reads(t *testing.T, ctx context.Context, key, content string, operations int) {
	t.Helper()
	before := r.counter.Counts().Total()
	got, info, err := r.store.ReadAll(ctx, key, nil)
	if content == "" && blob.Is(err, blob.NotFound) {
		err = nil
	}
	if err != nil || string(got) != content || info.Size != int64(len(content)) {
		t.Errorf("%s reads %.40q (%+v, %v), want %.40q", key, got, info, err, content)
	}
	if n := r.counter.Counts().Total() - before; n != operations {
		t.Errorf("%s read as %.40q at the price of %d operations, want %d", key, got, n, operations)
	}
}

// entries are the files of the cache.
func (r *rig) entries(t testing.TB) (paths []string, size int64) {
	t.Helper()
	err := filepath.WalkDir(r.policy.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var stat fs.FileInfo
			if stat, err = d.Info(); err == nil {
				paths, size = append(paths, path), size+stat.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths, size
}

func TestCacheAsksNothingForWhatWasSeen(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.below.PutBytes(ctx, "key", []byte("content"), blob.PutOptions{})
	r.reads(t, ctx, "key", "content", 1)
	r.reads(t, ctx, "key", "content", 0)
	stat, err := r.store.Stat(ctx, "key")
	if err != nil {
		t.Fatal(err)
	}
	again, counter := blobcount.New(r.below) // as another process has it
	r.store, r.counter = blob.Cache(again, r.policy), counter
	r.reads(t, ctx, "key", "content", 0)
	got, info, found := r.store.ReadCached("key")
	if string(got) != "content" || !found || info.Version != stat.Version || !info.ModTime.Equal(stat.ModTime) || info.Key != "key" {
		t.Errorf("%q, %+v, %v, want what Stat says: %+v", got, info, found, stat)
	}
	if got, _, _ := r.store.ReadAll(ctx, "key", []byte("in front, ")); string(got) != "in front, content" {
		t.Errorf("appended: %q", got)
	}
	body, _, _ := r.store.Get(ctx, "key", blob.Range{})
	if got, _ := io.ReadAll(body); string(got) != "content" || counter.Counts().Total() != 0 {
		t.Errorf("streamed %q, %+v", got, counter.Counts())
	}
	if _, _, found := again.ReadCached("key"); found {
		t.Error("a store without a cache has one")
	}
}

func TestCacheKeepsOnlyWhatItMay(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.policy.Size = 1 << 20
	r.policy.Selects = func(key string) bool { return strings.HasPrefix(key, "selected/") }
	r.policy.Sound = func(_ string, content []byte) bool { return !bytes.Contains(content, []byte("unsound")) }
	counted, counter := blobcount.New(r.below)
	r.store, r.counter = blob.Cache(counted, r.policy), counter
	for key, content := range map[string]string{
		"other": "x", "selected/unsound": "unsound", "selected/large": strings.Repeat("x", 1<<16+1), "selected/absent": "",
	} {
		if content != "" {
			if _, err := r.store.PutBytes(ctx, key, []byte(content), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		r.reads(t, ctx, key, content, 1)
		r.reads(t, ctx, key, content, 1)
		if _, _, found := r.store.ReadCached(key); found {
			t.Errorf("%s is in the cache", key)
		}
	}
	r.store.PutBytes(ctx, "selected/key", []byte("content"), blob.PutOptions{})
	r.store.Get(ctx, "selected/key", blob.Range{Offset: 1})
	r.reads(t, ctx, "selected/key", "content", 0)
	if paths, _ := r.entries(t); len(paths) != 1 {
		t.Errorf("the folder has %v", paths)
	}
}

// A put through the cache decides what the cache has, whatever it had before;
// readers that ask the store see the puts of others, and so do all readers
// after them.
func TestCacheFollowsWhatIsPut(t *testing.T) {
	ctx := t.Context()
	fresh := blob.Fresh(ctx)
	for name, test := range map[string]struct {
		do      func(r *rig, v1 blob.Version)
		content string // read then
		price   int    // number of operations to read it
	}{
		"nothing happened": {func(*rig, blob.Version) {}, "one", 0},
		"put":              {func(r *rig, _ blob.Version) { r.store.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{}) }, "two", 0},
		"swap": {func(r *rig, v1 blob.Version) {
			r.store.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{IfVersion: v1})
		}, "two", 0},
		"put if absent": {func(r *rig, _ blob.Version) {
			r.store.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{IfAbsent: true})
		}, "one", 1},
		"mismatch": {func(r *rig, v1 blob.Version) {
			r.below.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{})
			r.store.PutBytes(ctx, "key", []byte("three"), blob.PutOptions{IfVersion: v1})
		}, "two", 1},
		"deleted, put if absent": {func(r *rig, _ blob.Version) {
			r.below.Delete(ctx, "key")
			r.store.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{IfAbsent: true})
		}, "two", 0},
		"delete":             {func(r *rig, _ blob.Version) { r.store.Delete(ctx, "key") }, "", 1},
		"replaced elsewhere": {func(r *rig, _ blob.Version) { r.below.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{}) }, "one", 0},
		"removed elsewhere":  {func(r *rig, _ blob.Version) { r.below.Delete(ctx, "key") }, "one", 0},
		"replaced elsewhere, seen": {func(r *rig, _ blob.Version) {
			r.below.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{})
			r.reads(t, fresh, "key", "two", 1)
		}, "two", 1},
		"removed elsewhere, seen": {func(r *rig, _ blob.Version) {
			r.below.Delete(ctx, "key")
			r.reads(t, fresh, "key", "", 1)
		}, "", 1},
		"seen again": {func(r *rig, _ blob.Version) { r.reads(t, fresh, "key", "one", 1) }, "one", 0},
		"replaced with the cache off": {func(r *rig, v1 blob.Version) {
			policy := r.policy
			policy.Size = 0
			off := blob.Cache(r.below, policy)
			off.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{IfVersion: v1})
		}, "two", 1},
		"folder deleted": {func(r *rig, _ blob.Version) { os.RemoveAll(r.policy.Dir) }, "one", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			v1, err := r.store.PutBytes(ctx, "key", []byte("one"), blob.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			test.do(r, v1.Version)
			r.reads(t, ctx, "key", test.content, test.price)
			if test.content != "" {
				r.reads(t, ctx, "key", test.content, 0)
			}
		})
	}
}

// overtaken runs a function, once: after a Get of the store and before its
// caller has the answer, or before a Put or Delete.
type overtaken struct {
	driver.Store
	meanwhile func()
}

func (o *overtaken) run() {
	if do := o.meanwhile; do != nil {
		o.meanwhile = nil
		do()
	}
}

func (o *overtaken) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	defer o.run()
	return o.Store.Get(ctx, key, part)
}

func (o *overtaken) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	o.run()
	return o.Store.Put(ctx, key, body, size, opts)
}

func (o *overtaken) Delete(ctx context.Context, key string) error {
	o.run()
	return o.Store.Delete(ctx, key)
}

// A reader that a put overtakes does not bring the old content back, nor does a
// put that another put overtakes.
func TestCacheIsNotTurnedBackByWhoComesLate(t *testing.T) {
	for name, ctx := range map[string]context.Context{"reader": t.Context(), "fresh reader": blob.Fresh(t.Context())} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			late := &overtaken{Store: memblob.New()}
			store := blob.Cache(blob.New("mem://x", late), keepAll(dir))
			below := blob.New("mem://x", late.Store)
			below.PutBytes(ctx, "key", []byte("old"), blob.PutOptions{})
			late.meanwhile = func() { store.PutBytes(ctx, "key", []byte("new"), blob.PutOptions{}) }
			if got, _, err := store.ReadAll(ctx, "key", nil); err != nil || string(got) != "old" {
				t.Errorf("%q, %v", got, err)
			}
			if got, _, err := store.ReadAll(t.Context(), "key", nil); err != nil || string(got) != "new" {
				t.Errorf("afterwards %q, %v", got, err)
			}
		})
	}
}

// Nor does a reader that comes after a put or a delete has begun.
func TestCacheIsNotTurnedBackByWhoComesInBetween(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		do   func(store, below *blob.Store)
		want string
	}{
		"put":    {func(store, _ *blob.Store) { store.PutBytes(ctx, "key", []byte("new"), blob.PutOptions{}) }, "new"},
		"delete": {func(store, _ *blob.Store) { store.Delete(ctx, "key") }, ""},
		"mismatch": {func(store, below *blob.Store) {
			info, _ := below.Stat(ctx, "key")
			store.PutBytes(ctx, "key", []byte("newer"), blob.PutOptions{IfVersion: info.Version + "x"})
			below.PutBytes(ctx, "key", []byte("newest"), blob.PutOptions{})
		}, "newest"},
	} {
		t.Run(name, func(t *testing.T) {
			between := &overtaken{Store: memblob.New()}
			store, below := blob.Cache(blob.New("mem://x", between), keepAll(t.TempDir())), blob.New("mem://x", between.Store)
			if _, err := below.PutBytes(ctx, "key", []byte("old"), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			between.meanwhile = func() {
				if got, _, err := store.ReadAll(ctx, "key", nil); err != nil || string(got) != "old" {
					t.Errorf("%q, %v", got, err)
				}
			}
			test.do(store, below)
			if got, _, err := store.ReadAll(ctx, "key", nil); string(got) != test.want || (err != nil) != (test.want == "") {
				t.Errorf("afterwards %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// A reader that a put overtakes keeps nothing, not even after a second put,
// which fails, has removed the entry of the first.
func TestCacheIsNotTurnedBackByAPutThatFails(t *testing.T) {
	for name, read := range map[string]func(s *blob.Store) error{
		"slurp": func(s *blob.Store) error { _, _, err := s.ReadAll(t.Context(), "key", nil); return err },
		"get": func(s *blob.Store) error {
			body, _, err := s.Get(t.Context(), "key", blob.Range{})
			if err == nil {
				_, err = io.ReadAll(body)
			}
			return err
		},
	} {
		below := newMem()
		info, _ := below.PutBytes(t.Context(), "key", []byte("old"), blob.PutOptions{})
		var s *blob.Store
		after := func(op blobtest.Op, key string) error {
			if op == blobtest.OpGet {
				_, err := s.PutBytes(t.Context(), key, []byte("new"), blob.PutOptions{IfVersion: info.Version})
				_, second := s.PutBytes(t.Context(), key, []byte("second"), blob.PutOptions{IfVersion: info.Version})
				if err != nil || !blob.Is(second, blob.Mismatch) {
					t.Errorf("%v, %v", err, second)
				}
			}
			return nil
		}
		s = blob.Cache(blobtest.Faulty(below, blobtest.FaultPlan{After: after}), keepAll(t.TempDir()))
		if err := read(s); err != nil {
			t.Fatal(err)
		}
		if content, _, found := s.ReadCached("key"); found && string(content) != "new" {
			t.Errorf("%s: the cache has %q", name, content)
		}
	}
}

func TestCacheNoticesEveryDamage(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	const content = "some content\n"
	r.below.PutBytes(ctx, "key", []byte(content), blob.PutOptions{})
	r.reads(t, ctx, "key", content, 1)
	paths, _ := r.entries(t)
	sound, err := os.ReadFile(paths[0])
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	damaged := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(paths[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _, found := r.store.ReadCached("key"); found {
			t.Errorf("%s: %q", what, got)
		}
		if _, err := os.Lstat(paths[0]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it was not removed: %v", what, err)
		}
	}
	for i := range sound {
		for bit := range 8 {
			flipped := bytes.Clone(sound)
			flipped[i] ^= 1 << bit
			damaged("a flipped bit", flipped)
		}
		damaged("a cut", sound[:i])
	}
	damaged("something behind", append(bytes.Clone(sound), 'x'))
	r.below.PutBytes(ctx, "other", []byte("other"), blob.PutOptions{})
	damaged("a blank", make([]byte, len(sound)))
	r.reads(t, ctx, "key", content, 1)
	r.reads(t, ctx, "other", "other", 1)
	all, _ := r.entries(t)
	for _, path := range all {
		if path == paths[0] {
			continue
		}
		other, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged("the entry of another blob", other)
	}
	r.reads(t, ctx, "key", content, 1)
	r.reads(t, ctx, "key", content, 0)
}

// A file of any size may lie where an entry belongs: it takes no memory.
func TestCacheReadsNothingHuge(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.below.PutBytes(ctx, "key", []byte("content"), blob.PutOptions{})
	r.reads(t, ctx, "key", "content", 1)
	paths, _ := r.entries(t)
	if err := os.Truncate(paths[0], 1500<<20); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r.reads(t, ctx, "key", "content", 1)
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("it took %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
	}
	r.reads(t, ctx, "key", "content", 0)
}

// named is a store with an identity of its own.
type named struct {
	driver.Store
	identity string
}

func (n named) Identity() string { return n.identity }

func TestCacheTellsStoresApart(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	open := func(root, identity string) *blob.Store {
		var d driver.Store = memblob.New()
		if identity != "" {
			d = named{d, identity}
		}
		s, _ := blobcount.New(blob.Retry(blob.New(root, d), blob.RetryPolicy{}))
		return blob.Cache(s, keepAll(dir))
	}
	if _, err := open("s3://box", "here").PutBytes(ctx, "key", []byte("x"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, other := range []struct {
		root, identity string
		same           bool
	}{{"s3://box", "here", true}, {"s3://box", "there", false}, {"s3://box", "", false}, {"s3://box/key", "here", false}} {
		if _, _, found := open(other.root, other.identity).ReadCached("key"); found != other.same {
			t.Errorf("%+v: found: %v", other, found)
		}
	}
}

func TestCacheThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, file + "/below", "/proc/cache"} {
		r, ctx := newRig(t), t.Context()
		r.policy.Dir = dir
		counted, counter := blobcount.New(r.below)
		r.store, r.counter = blob.Cache(counted, r.policy), counter
		if _, err := r.store.PutBytes(ctx, "key", []byte("one"), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		r.reads(t, ctx, "key", "one", 1)
		r.reads(t, ctx, "key", "one", 1)
		if err := r.store.Delete(ctx, "key"); err != nil {
			t.Error(err)
		}
		if err := r.store.Close(); err != nil || r.logged.Len() > 0 {
			t.Errorf("%s: %v, logged %s", dir, err, r.logged.String())
		}
	}
}

// Nobody must believe an entry that cannot be removed.
func TestCacheWhoseEntriesCannotBeRemoved(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.store.PutBytes(ctx, "key", []byte("one"), blob.PutOptions{})
	paths, _ := r.entries(t)
	tmp := filepath.Join(r.policy.Dir, "tmp")
	err := errors.Join( // a folder that is not empty and cannot be moved, since root may remove everything else
		os.Remove(paths[0]), os.MkdirAll(paths[0]+"/stuck", 0o700),
		os.Remove(tmp), os.WriteFile(tmp, nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	r.store.PutBytes(ctx, "key", []byte("two"), blob.PutOptions{})
	r.reads(t, ctx, "key", "two", 1)
	r.reads(t, ctx, "other", "", 1)
	if n := strings.Count(r.logged.String(), "\n"); n != 1 || !strings.Contains(r.logged.String(), r.policy.Dir) || !strings.Contains(r.logged.String(), "delete the folder") {
		t.Errorf("logged %d lines: %s", n, r.logged.String())
	}
}

// fill puts n blobs, each of which takes 4 KiB in the cache, and waits for the
// sweep that follows.
func (r *rig) fill(t *testing.T, prefix string, n int) {
	t.Helper()
	store := blob.Cache(r.below, r.policy)
	for i := range n {
		if _, err := store.PutBytes(t.Context(), fmt.Sprint(prefix, i), make([]byte, 3000), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCacheRemovesWhatWasNotUsedForLongest(t *testing.T) {
	r := newRig(t)
	r.policy.Size = 256 * 4096
	r.fill(t, "old", 200)
	paths, _ := r.entries(t)
	if len(paths) != 200 {
		t.Fatalf("%d files below the bound", len(paths))
	}
	for _, path := range paths {
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	// Of an earlier release, of a process that was killed, and of somebody else.
	shelf := filepath.Dir(paths[0])
	earlier, leftover, stranger := filepath.Join(shelf, "new-leftover"), filepath.Join(r.policy.Dir, "tmp", "leftover"), filepath.Join(shelf, "notes.txt")
	for _, path := range []string{earlier, leftover, stranger} {
		longAgo := time.Now().Add(-25 * time.Hour)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, longAgo, longAgo)); err != nil {
			t.Fatal(err)
		}
	}
	store := blob.Cache(r.below, r.policy)
	for i := range 20 {
		if _, _, found := store.ReadCached(fmt.Sprint("old", i)); !found {
			t.Fatal("it is not kept")
		}
	}
	r.fill(t, "new", 180)
	if paths, _ := r.entries(t); len(paths) > 256+1 || len(paths) < 200 {
		t.Errorf("%d files at the end, and the bound is 256 entries", len(paths))
	}
	for key, there := range map[string]bool{"old0": true, "old19": true, "new0": true, "new179": true} {
		if _, _, found := store.ReadCached(key); found != there {
			t.Errorf("%s is there: %v", key, found)
		}
	}
	left := 0
	for i := range 180 {
		if _, _, found := store.ReadCached(fmt.Sprint("old", 20+i)); found {
			left++
		}
	}
	if left > 56 {
		t.Errorf("%d are left that were not used for longest", left)
	}
	for _, path := range []string{earlier, leftover} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was never finished, and is still there", path)
		}
	}
	if _, err := os.Lstat(stranger); err != nil {
		t.Error("a file of somebody else was removed")
	}
}

// Of many programs that write little, none writes enough for a look at the
// folder. By chance some look all the same.
func TestCacheIsBoundForShortPrograms(t *testing.T) {
	r := newRig(t)
	r.policy.Size = 64 * 4096
	for i := range 400 {
		r.fill(t, fmt.Sprint(i, "/"), 1)
		if paths, _ := r.entries(t); len(paths) > 3*64 { // with odds of 1 in 10,000: (3/4)^136
			t.Fatalf("%d entries, and the bound is 64", len(paths))
		}
	}
}
