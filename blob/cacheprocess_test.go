package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
)

// With these variables the test binary is one of the processes that share a
// cache: they name the root and the folder.
const (
	sharedRoot  = "BLOB_TEST_CACHE_ROOT"
	sharedCache = "BLOB_TEST_CACHE_DIR"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(sharedRoot); root != "" {
		if err := useCache(context.Background(), root, os.Getenv(sharedCache)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const sharedSize = 64 * 4096 // for 100 keys: something is removed all the time

// How many goroutines a process has, and what each of them does.
const goroutines = 6

func each() int {
	if os.Getenv("MOPS_SOAK") != "" {
		return 10_000
	}
	return 100
}

// useCache reads and writes a root, which many share, through a cache, which
// they share, too. The error is a wrong read or a failure.
func useCache(ctx context.Context, root, dir string) error {
	files, err := blob.Open(ctx, root)
	if err != nil {
		return err
	}
	policy := keepAll(dir)
	policy.Size = sharedSize
	store := blob.Cache(blob.New(root, bare{files.Driver()}), policy)
	errs := make([]error, goroutines)
	var running sync.WaitGroup
	for g := range goroutines {
		running.Go(func() {
			for range each() {
				if errs[g] = useKey(ctx, store, fmt.Sprint("folder/", rand.N(100))); errs[g] != nil {
					return
				}
			}
		})
	}
	running.Wait()
	return errors.Join(append(errs, store.Close())...)
}

// useKey does, at random, one of the things that programs do.
func useKey(ctx context.Context, store *blob.Store, key string) error {
	if rand.N(4) == 0 {
		ctx = blob.Fresh(ctx)
	}
	data, info, err := store.ReadAll(ctx, key, nil)
	if err == nil {
		err = checkShared(key, data, info)
	}
	switch {
	case blob.Is(err, blob.NotFound):
		_, err = store.PutBytes(ctx, key, sharedContent(key), blob.PutOptions{IfAbsent: true})
	case err == nil && rand.N(8) == 0:
		_, err = store.PutBytes(ctx, key, sharedContent(key), blob.PutOptions{IfVersion: info.Version})
	}
	if blob.Is(err, blob.Exists) || blob.Is(err, blob.Mismatch) {
		return nil
	}
	return err
}

// sharedContent names its blob, and proves itself.
func sharedContent(key string) []byte {
	body := fmt.Appendf(nil, "%s %d\n%s", key, rand.Uint64(), bytes.Repeat([]byte{byte(rand.N(256))}, rand.N(10_000)))
	return fmt.Appendf(nil, "%x\n%s", sha256.Sum256(body), body)
}

func checkShared(key string, data []byte, info blob.Info) error {
	sum, body, _ := bytes.Cut(data, []byte{'\n'})
	if int64(len(data)) != info.Size || fmt.Sprintf("%x", sha256.Sum256(body)) != string(sum) || !bytes.HasPrefix(body, []byte(key+" ")) {
		return fmt.Errorf("%s holds something else: %d bytes, %.200q", key, len(data), data)
	}
	return nil
}

// Goroutines and processes read, write, evict and delete in a cache at the same
// time, and one of them is killed: nobody ever reads a wrong byte.
func TestCacheIsSharedByProcesses(t *testing.T) {
	place := t.TempDir()
	root, dir := "file://"+filepath.Join(place, "root"), filepath.Join(place, "cache")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const processes = 3
	var running sync.WaitGroup
	start := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), sharedRoot+"="+root, sharedCache+"="+dir)
		cmd.Stderr = new(bytes.Buffer)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	victim := start()
	for i := range processes {
		cmd := start()
		running.Go(func() {
			if err := cmd.Wait(); err != nil {
				t.Errorf("process %d: %v: %s", i, err, cmd.Stderr)
			}
		})
	}
	running.Go(func() {
		if err := useCache(t.Context(), root, dir); err != nil {
			t.Error(err)
		}
	})
	ended := make(chan struct{})
	go func() { running.Wait(); close(ended) }()
	deleted := 0
	for going := true; going; deleted++ {
		select {
		case <-ended:
			going = false
		default: // all of it, or one part, as a person who cleans up might
			os.RemoveAll(filepath.Join(dir, []string{"", fmt.Sprintf("%02x", rand.N(256))}[deleted%2]))
		}
		if deleted == 2 {
			victim.Process.Kill()
		}
	}
	victim.Process.Kill()
	victim.Wait()
	os.RemoveAll(filepath.Join(dir, "tmp")) // what it was about to add goes a day later, and counts until then
	// Without deletions, the bound holds.
	if err := useCache(t.Context(), root, dir); err != nil {
		t.Error(err)
	}
	r := &rig{policy: keepAll(dir)}
	paths, size := r.entries(t)
	t.Logf("%d entries of %d bytes, after %d deletions", len(paths), size, deleted)
	if size > sharedSize {
		t.Errorf("%d bytes are kept, and the bound is %d", size, sharedSize)
	}
}
