package source

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// Options are the settings of a Files.
type Options struct {
	// CacheDir holds downloaded files and unpacked folders. Anybody may delete it
	// at any time. Without one, only content that is on this machine already can be
	// opened.
	CacheDir string

	// CacheSize bounds CacheDir, in bytes. With 0 it holds only what is in use,
	// which stays in any case.
	CacheSize int64

	// StateDir holds the hashes of files, as long as this machine has not been
	// restarted. Anybody may delete it at any time. Without one only this process
	// knows them.
	StateDir string

	// Logger gets warnings and debug lines; nil for none.
	Logger *slog.Logger
}

// Files knows the files of one environment: their hashes, the downloaded
// copies, how much may go on at once. It is safe for concurrent use.
//
// It is made of types that each use those below:
//
//	Files            what calls need: Resolve, Upload, Publish, Bind
//	keeper · trees   content goes into a store; folders are unpacked
//	fetcher          content, wherever it is, as a file of this machine
//	finder · places  what lies at a path; where a URI leads
type Files struct {
	*keeper
	trees   *trees
	decoded decoded
}

// parallelTransfers hides the latency of other machines. A driver buffers some
// MiB for each.
const parallelTransfers = 16

// New makes the Files of an environment. It does no I/O yet.
func New(opts Options) (*Files, error) {
	if opts.CacheSize < 0 {
		return nil, fmt.Errorf("sources: CacheSize %d must not be negative", opts.CacheSize)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	cacheDir, err := absolute("cache", opts.CacheDir)
	if err != nil {
		return nil, err
	}
	known, err := absolute("state", opts.StateDir)
	if err != nil {
		return nil, err
	}
	if known != "" {
		known = filepath.Join(known, "source-hashes")
	}
	cpu := make(slots, min(runtime.GOMAXPROCS(0), 16)) // files hashed or copied side by side
	fetch := &fetcher{
		finder: &finder{
			cpu: cpu, answers: map[string]*answer{},
			hashes: filehash.New(filehash.Options{
				Memory: known, Warn: func(err error) { opts.Logger.Warn("cache of hashes", "file", known, "err", err) }, Slot: cpu.take,
			}),
		},
		places: &places{log: opts.Logger, open: blob.Open, roots: map[string]*blob.Store{}, stores: map[string]*blob.Store{}},
		net:    make(slots, parallelTransfers),
		now:    time.Now,
	}
	clock := func() time.Time { return fetch.now() }
	fetch.hashes.Now = clock
	fetch.cache = localcache.New(localcache.Options{
		Dir: cacheDir, Shelves: []string{shelfOfFiles, shelfOfTrees}, Size: opts.CacheSize, KeepFor: usedFor, Now: clock, Log: opts.Logger,
	})
	return &Files{keeper: &keeper{fetch}, trees: &trees{fetch}}, nil
}

func absolute(what, dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("sources: %s folder %s: %w", what, dir, err)
	}
	return path, nil
}

// Close closes hashes, cache and stores. Bound sources must not be opened
// afterwards.
func (f *Files) Close() error {
	f.cache.Close()
	return errors.Join(f.hashes.Close(), f.places.close())
}
