package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/filehash"
	"github.com/TrilliantHealth/mops-go/internal/localcache"
)

// Options are the settings of a Files.
type Options struct {
	// CacheDir holds what was downloaded and folders that were unpacked. It may
	// be deleted at any time. Without one, nothing that is not on this machine
	// already can be opened.
	CacheDir string

	// CacheSize bounds what CacheDir holds, in bytes. With 0 it holds only what
	// is in use, which stays in any case.
	CacheSize int64

	// StateDir holds the hashes of files that were hashed since this machine was
	// started. It may be deleted at any time. Without one they are known to this
	// process only.
	StateDir string

	// Logger gets what is worth knowing; default: nobody.
	Logger *slog.Logger

	// Parallel is how many files are hashed or copied side by side; default: the
	// number of processors, at most 16.
	Parallel int

	// Open opens the store of an explicit URI; default: blob.Open.
	Open func(ctx context.Context, uri string) (*blob.Store, error)
}

// Files knows the files of one environment: what was hashed before, what was
// downloaded, how much may go on at once. It is safe for concurrent use.
type Files struct {
	cacheDir string
	cache    *localcache.Folder
	log      *slog.Logger
	open     func(ctx context.Context, uri string) (*blob.Store, error)
	hashes   *filehash.Hasher
	cpu      slots // hashing, and copying on this machine
	net      slots // transfers from and to other machines
	turns    turns
	decoded  decoded
	seen     sightings // of blobs in stores

	mu      sync.Mutex
	roots   map[string]*blob.Store  // that were used, by their root; not ours to close
	stores  map[string]*blob.Store  // opened for explicit URIs; ours
	damaged map[string]blob.Version // blobs found damaged, by blobName
	answers map[string]*answer      // by path or URI, while somebody wants them

	now func() time.Time
}

// parallelTransfers hides the latency of other machines. A driver buffers some
// MiB for each.
const parallelTransfers = 16

// New makes the Files of an environment. It does no I/O yet.
func New(opts Options) (*Files, error) {
	f := &Files{
		log:     opts.Logger,
		open:    opts.Open,
		roots:   map[string]*blob.Store{},
		stores:  map[string]*blob.Store{},
		damaged: map[string]blob.Version{},
		answers: map[string]*answer{},
		now:     time.Now,
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.open == nil {
		f.open = blob.Open
	}
	if opts.Parallel < 0 || opts.CacheSize < 0 {
		return nil, fmt.Errorf("sources: Parallel %d and CacheSize %d must not be negative", opts.Parallel, opts.CacheSize)
	}
	parallel := opts.Parallel
	if parallel == 0 {
		parallel = min(runtime.GOMAXPROCS(0), 16)
	}
	f.cpu, f.net = make(slots, parallel), make(slots, max(parallel, parallelTransfers))

	var err error
	if opts.CacheDir != "" {
		if f.cacheDir, err = filepath.Abs(opts.CacheDir); err != nil {
			return nil, fmt.Errorf("sources: cache folder %s: %w", opts.CacheDir, err)
		}
	}
	f.cache = localcache.New(localcache.Options{
		Dir: f.cacheDir, Shelves: []string{shelfOfFiles, shelfOfTrees}, Size: opts.CacheSize, KeepFor: usedFor,
		Now: func() time.Time { return f.now() }, Log: f.log,
	})
	known := ""
	if opts.StateDir != "" {
		if known, err = filepath.Abs(filepath.Join(opts.StateDir, "source-hashes")); err != nil {
			return nil, fmt.Errorf("sources: state folder %s: %w", opts.StateDir, err)
		}
	}
	f.hashes = filehash.New(filehash.Options{
		Memory: known, Warn: func(err error) { f.log.Warn("cache of hashes", "file", known, "err", err) }, Slot: f.cpu.take,
	})
	f.hashes.Now = func() time.Time { return f.now() }
	return f, nil
}

// Close lets go of files and stores that were opened. Sources that were bound
// must not be opened afterwards.
func (f *Files) Close() error {
	f.cache.Close()
	err := f.hashes.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, store := range f.stores {
		err = errors.Join(err, store.Close())
	}
	clear(f.stores)
	return err
}

// slotsFor is what bounds transfers from and to a store.
func (f *Files) slotsFor(store *blob.Store) slots {
	if store.IsLocal() {
		return f.cpu
	}
	return f.net
}
