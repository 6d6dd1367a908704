package gc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// marks are what the records of all calls name.
type marks struct {
	mu      sync.Mutex
	content []content            // old content, in the order of its hashes
	named   []uint64             // a bit for each of them
	files   map[[16]byte]bool    // files of calls that other calls name, by the hash of their key
	folders map[source.Hash]bool // folders whose manifests were read
}

// content is a blob that may be removed unless a record names it.
type content struct {
	hash source.Hash
	size int64
}

// mark lists the old content, and then reads all records. It fails if a record
// may name anything, and names that record.
func (r *run) mark(ctx context.Context) error {
	m := &marks{files: map[[16]byte]bool{}, folders: map[source.Hash]bool{}}
	if r.Content {
		if err := r.listContent(ctx, m); err != nil {
			return err
		}
		m.named = make([]uint64, (len(m.content)+63)/64)
	}
	if err := r.refuseNewer(ctx); err != nil {
		return err
	}
	of := r.calls()
	if !r.surveyed {
		of = 0
	}
	r.Progress.Begin("reading what records name", of)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.Parallel)
	for c, err := range calls(groupCtx, r.store, memokey.Format+"/") {
		if err != nil {
			if waitErr := group.Wait(); waitErr != nil {
				err = waitErr
			}
			return err
		}
		group.Go(func() error {
			defer r.Progress.Step()
			return r.markCall(groupCtx, m, c)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r.marks = m
	for i, c := range m.content {
		if !m.isNamed(i) {
			r.report.Content.add(1, c.size)
		}
	}
	return nil
}

func (r *run) listContent(ctx context.Context, m *marks) error {
	r.Progress.Begin("looking at content", 0)
	for info, err := range r.store.List(ctx, source.ContentPrefix, "") {
		if err != nil {
			return err
		}
		r.Progress.Step()
		if hash, ok := source.HashOf(info.Key); ok && r.old(info.ModTime, r.TTL) {
			m.content = append(m.content, content{hash, info.Size})
		}
	}
	// Stores promise this order already, but everything here depends on it.
	slices.SortFunc(m.content, func(a, b content) int { return slices.Compare(a.hash[:], b.hash[:]) })
	return nil
}

func (m *marks) isNamed(i int) bool { return m.named[i/64]&(1<<(i%64)) != 0 }

// nameContent notes that a record names content.
func (m *marks) nameContent(hash source.Hash) {
	i, old := slices.BinarySearchFunc(m.content, hash, func(c content, h source.Hash) int { return slices.Compare(c.hash[:], h[:]) })
	if !old {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.named[i/64] |= 1 << (i % 64)
}

// nameFile notes that a record names a file of another call.
func (m *marks) nameFile(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[shortHash(key)] = true
}

// fileIsNamed reports whether a record names a file of another call. If no
// records were read, it says yes.
func (m *marks) fileIsNamed(key string) bool {
	if m == nil {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[shortHash(key)]
}

func shortHash(key string) [16]byte {
	sum := sha256.Sum256([]byte(key))
	return [16]byte(sum[:16])
}

// markCall notes what the records of a call name.
func (r *run) markCall(ctx context.Context, m *marks, c *call) error {
	for _, info := range c.strange {
		if err := r.refuseRecord(ctx, info); err != nil {
			return err
		}
	}
	if c.path == "" {
		return nil
	}
	named, there, err := r.sourcesOf(ctx, c, record.KindResult)
	if err == nil && !there { // after the result, which another gc may just have removed
		named, err = r.namedInGrace(ctx, c)
	}
	if err == nil {
		err = r.markAll(ctx, m, c, named)
	}
	if err != nil {
		return fmt.Errorf("%s/result: %w", r.store.URI(c.path), unknown(err))
	}
	if named, _, err = r.sourcesOf(ctx, c, record.KindInvocation); err == nil {
		err = r.markAll(ctx, m, c, named)
	}
	if err != nil {
		return fmt.Errorf("%s/invocation: %w", r.store.URI(c.path), unknown(err))
	}
	return nil
}

func (r *run) markAll(ctx context.Context, m *marks, c *call, sources []record.SourceLocation) error {
	for _, s := range sources {
		if err := r.markSource(ctx, m, c, s); err != nil {
			return err
		}
	}
	return nil
}

// refusal says why no content, and no file of a call, is removed: something may
// name any of it.
type refusal struct{ err error }

func (e *refusal) Error() string {
	return e.err.Error() + "; it may name any content, so no content is removed, nor files of calls"
}

func (e *refusal) Unwrap() error { return e.err }

// unknown turns a record that cannot be read into a refusal, and leaves other
// errors alone.
func unknown(err error) error {
	if _, format := errors.AsType[*record.FormatError](err); format {
		return &refusal{err}
	}
	return err
}

func (r *run) markSource(ctx context.Context, m *marks, c *call, s record.SourceLocation) error {
	kind := source.Kind(s.Kind)
	switch kind {
	case "", source.KindFile, source.KindDir, source.KindValue:
	default:
		return &refusal{fmt.Errorf("a source of kind %q, which this program does not know: update it", s.Kind)}
	}
	key := strings.TrimPrefix(s.Location, r.store.Root()+"/")
	hash, isContent := source.HashOf(key)
	switch {
	case isContent:
		m.nameContent(hash)
	case strings.HasPrefix(key, memokey.Format+"/") && !c.holds(key):
		m.nameFile(key)
	}
	if kind == source.KindDir && isContent && r.Content {
		return r.markFolder(ctx, m, hash)
	}
	return nil
}

// markFolder notes what the manifest of a folder names, once. A manifest that
// is gone or damaged is of no use to any program: one that stores the folder
// again looks at each of its files.
func (r *run) markFolder(ctx context.Context, m *marks, hash source.Hash) error {
	m.mu.Lock()
	known := m.folders[hash]
	m.folders[hash] = true
	m.mu.Unlock()
	if known {
		return nil
	}
	data, err := r.manifest(ctx, hash)
	if err != nil || data == nil {
		return err
	}
	files, err := source.FilesOf(data)
	if err != nil {
		return &refusal{fmt.Errorf("%s: %w", r.store.URI(source.BlobKey(hash)), err)}
	}
	for _, file := range files {
		m.nameContent(file)
	}
	return nil
}

// usualManifest bounds the manifests, in bytes, that are read without first
// checking their hash on the way: some 200,000 files.
const usualManifest = 16 << 20

// manifest is the content of a folder's blob; nil if that is gone or damaged. A
// large one is taken into memory only after its hash was found right.
func (r *run) manifest(ctx context.Context, hash source.Hash) ([]byte, error) {
	key := source.BlobKey(hash)
	for range 2 { // a bad moment can make a reading look damaged
		data, _, err := r.store.ReadUpTo(ctx, key, nil, usualManifest)
		if blob.Is(err, blob.TooLarge) {
			var sum source.Hash
			if sum, err = r.hashOf(ctx, key); err == nil && sum == hash {
				data, _, err = r.store.ReadAll(ctx, key, nil)
			}
		}
		switch {
		case blob.Is(err, blob.NotFound):
			return nil, nil
		case err != nil && !blob.Is(err, blob.Corrupt):
			return nil, err
		case err == nil && sha256.Sum256(data) == hash:
			return data, nil
		}
	}
	return nil, nil
}

func (r *run) hashOf(ctx context.Context, key string) (source.Hash, error) {
	body, _, err := r.store.Get(ctx, key, blob.Range{})
	if err != nil {
		return source.Hash{}, err
	}
	defer body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, body)
	return source.Hash(sum.Sum(nil)), err
}

// firstLine is how every record begins, whatever its format and kind.
var firstLine = regexp.MustCompile(`^mops[0-9]+ [a-z-]+ [0-9a-f]{64} [0-9]+\n`)

// refuseRecord fails if an unknown blob reads like a record.
func (r *run) refuseRecord(ctx context.Context, info blob.Info) error {
	is, err := r.isRecord(ctx, info)
	if err == nil && is {
		err = &refusal{fmt.Errorf("%s is a record that this program does not know: update this program", r.store.URI(info.Key))}
	}
	return err
}

func (r *run) isRecord(ctx context.Context, info blob.Info) (bool, error) {
	data, _, err := r.beginning(ctx, info.Key, 128)
	if blob.Is(err, blob.NotFound) {
		return false, nil
	}
	return firstLine.Match(data), err
}

// refuseNewer fails if the root holds folders of another format of mops, which
// may refer to the same content.
func (r *run) refuseNewer(ctx context.Context) error {
	for name, err := range explain.Folders(ctx, r.store, "mops") {
		if err != nil {
			return err
		}
		if format := "mops" + name; otherFormat.MatchString(format) {
			return &refusal{fmt.Errorf("%s belongs to a newer mops: update this program", r.store.URI(format))}
		}
	}
	return nil
}

var otherFormat = regexp.MustCompile(`^mops(?:[02-9]|[1-9][0-9]+)(?:-.*)?$`)
