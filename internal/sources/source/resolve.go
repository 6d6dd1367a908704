package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// ErrChanged says that a file changed, or was removed, after it was hashed and
// before it was stored.
var ErrChanged = filehash.ErrChanged

// Resolve finds the identity of each source: it hashes files and folders of
// this machine unless it knows their hash, and reads files at a URI once per
// version. It must come before encoding. A file that changed since an earlier
// Resolve gets a new identity. Resolve stores nothing.
func (f *Files) Resolve(ctx context.Context, refs []*Ref) error {
	return f.each(ctx, refs, func(ctx context.Context, _ int, r *Ref) error { return f.resolve(ctx, r) })
}

// each calls do for all refs, side by side; the first error ends it.
func (f *Files) each(ctx context.Context, refs []*Ref, do func(ctx context.Context, i int, r *Ref) error) error {
	for i, r := range refs {
		if r == nil {
			return fmt.Errorf("source %d of %d is nil: make one with File, Dir or At", i+1, len(refs))
		}
		if r.bad != nil {
			return r.bad
		}
	}
	if len(refs) == 1 {
		return do(ctx, 0, refs[0])
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * cap(f.net)) // this bounds the number of goroutines, not the work
	for i, r := range refs {
		group.Go(func() error { return do(ctx, i, r) })
	}
	return group.Wait()
}

func (f *Files) resolve(ctx context.Context, r *Ref) error {
	c, err := f.find(ctx, r)
	if err != nil {
		return err
	}
	r.set(f, c)
	return nil
}

// find looks at what the source is now.
func (f *Files) find(ctx context.Context, r *Ref) (*content, error) {
	if r.path == "" {
		if r.uri != "" {
			return f.findRemote(ctx, r.uri)
		}
		if c := r.snapshot(); c != nil { // decoded: it never changes
			return c, nil
		}
		return nil, errors.New("source: an empty value: make one with File, Dir or At")
	}
	info, err := os.Stat(r.path)
	if err != nil {
		return nil, filehash.Readable(r.path, err)
	}
	if info.IsDir() {
		if r.want == KindFile {
			return nil, filehash.Regular(r.path, info)
		}
		return f.findDir(ctx, r.path)
	}
	if r.want == KindDir {
		return nil, fmt.Errorf("source %s: this is a file: use File", r.path)
	}
	return f.findFile(ctx, r.path)
}

// finder finds out what lies at a path.
type finder struct {
	hashes *filehash.Hasher
	cpu    slots // hashing, and copying on this machine
	turns  turns

	mu      sync.Mutex
	answers map[string]*answer // by path or URI, while somebody wants them
}

// share finds out what lies at a place now, for one call after the other. Calls
// that come at the same moment share an answer, if its question was asked after
// they came.
func (f *finder) share(ctx context.Context, place string, find func() (*content, error)) (*content, error) {
	came := time.Now()
	f.mu.Lock()
	a := f.answers[place]
	if a == nil {
		a = new(answer)
		f.answers[place] = a
	}
	a.wanted++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if a.wanted--; a.wanted == 0 {
			delete(f.answers, place)
		}
	}()
	done, err := f.turns.take(ctx, "hash "+place)
	if err != nil {
		return nil, err
	}
	defer done() // the caller with the turn may use the answer
	if a.asked.After(came) {
		return a.content, nil
	}
	asked := time.Now()
	c, err := find()
	if err != nil {
		return nil, err
	}
	a.asked, a.content = asked, c
	return c, nil
}

// answer is what lay at a place after a question was asked.
type answer struct {
	wanted  int // number of calls; with none, the answer is forgotten
	asked   time.Time
	content *content
}

// hashFile is a file of this machine as an object.
func (f *finder) hashFile(ctx context.Context, path string, trusted bool) (object, error) {
	file, err := f.hashes.File(ctx, path, trusted)
	if err != nil {
		return object{}, err
	}
	return object{sum: file.Sum, size: file.Size, path: path, stamp: file.Stamp, racy: file.Racy}, nil
}

func (f *finder) findFile(ctx context.Context, path string) (*content, error) {
	return f.share(ctx, path, func() (*content, error) {
		file, err := f.hashFile(ctx, path, false)
		if err != nil {
			return nil, err
		}
		return fileContent(file), nil
	})
}

func (f *finder) findDir(ctx context.Context, path string) (*content, error) {
	return f.share(ctx, path+"/", func() (*content, error) { return f.lookAtFolder(ctx, path) })
}

func (f *finder) lookAtFolder(ctx context.Context, path string) (*content, error) {
	files, empty, err := walk(path)
	if err != nil {
		return nil, err
	}
	m := &manifest{Files: make([]entry, len(files)), Folders: empty}
	objects := make([]object, len(files))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(cap(f.cpu))
	for i, file := range files {
		group.Go(func() error {
			o, err := f.hashFile(groupCtx, file.path, false)
			objects[i] = o
			m.Files[i] = entry{Path: file.name, Hash: o.sum, Size: o.size, Executable: file.executable}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	data, err := m.encode()
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", path, err)
	}
	sum := Hash(sha256.Sum256(data))
	return &content{
		id:      Identity{Kind: KindDir, Hash: sum, Size: m.size()},
		file:    object{sum: sum, size: int64(len(data)), data: data},
		folder:  m,
		objects: objects,
	}, nil
}

// findRemote says what lies at a URI now. It reads the content once per
// version, if the store does not tell the hash.
func (f *Files) findRemote(ctx context.Context, uri string) (*content, error) {
	return f.share(ctx, uri, func() (*content, error) { return f.askRemote(ctx, uri) })
}

func (f *Files) askRemote(ctx context.Context, uri string) (*content, error) {
	at, err := f.placeOf(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", uri, err)
	}
	info, err := at.store.Stat(ctx, at.key)
	if err != nil {
		return nil, remoteError(uri, err)
	}
	var sum Hash
	known := info.SHA256 != "" && sum.UnmarshalText([]byte(info.SHA256)) == nil
	if !known {
		sum, known = f.hashes.Known(remoteName(uri, info))
	}
	if !known {
		if sum, info, err = f.hashRemote(ctx, at); err != nil {
			return nil, remoteError(uri, err)
		}
		// The versions of a store in memory mean nothing to the next process.
		f.hashes.Learn(remoteName(uri, info), sum, !strings.HasPrefix(uri, "mem:"))
	}
	return fileContent(object{sum: sum, size: info.Size, uri: uri}), nil
}

func (f *Files) hashRemote(ctx context.Context, at place) (Hash, blob.Info, error) {
	ctx, done, err := f.slotsFor(at.store).take(ctx)
	if err != nil {
		return Hash{}, blob.Info{}, err
	}
	defer done()
	var sum Hash
	var info blob.Info
	err = f.twice(ctx, at, func() error {
		body, found, err := at.store.Get(ctx, at.key, blob.Range{})
		if err != nil {
			return err
		}
		defer body.Close()
		var size int64
		if sum, size, err = filehash.Of(ctx, body); err == nil && size != found.Size {
			err = fmt.Errorf("%w: %d of %d bytes came", io.ErrUnexpectedEOF, size, found.Size)
		}
		info = found
		return err
	})
	return sum, info, err
}

func remoteError(uri string, err error) error {
	if blob.Is(err, blob.NotFound) {
		return fmt.Errorf("source %s: there is no such file: check the URI: %w", uri, err)
	}
	if errors.Is(err, os.ErrPermission) || blob.Is(err, blob.Denied) {
		return fmt.Errorf("source %s: it may not be read: %w", uri, err)
	}
	return fmt.Errorf("source %s: %w", uri, err)
}

// remoteName identifies one version of the blob at a URI.
func remoteName(uri string, info blob.Info) string {
	return fmt.Sprintf("blob\x00%s\x00%s\x00%d\x00%d", uri, info.Version, info.Size, info.ModTime.UnixNano())
}

// found is one file of a folder.
type found struct {
	name       string // with slashes, relative to the folder
	path       string
	executable bool
}

// walk lists the files of a folder, sorted, and its empty folders. It follows
// symbolic links.
func walk(root string) (files []found, empty []string, err error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, nil, filehash.Readable(root, err)
	}
	w := walker{above: []fs.FileInfo{info}}
	if err := w.folder(root, ""); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(w.files, func(a, b found) int { return strings.Compare(a.name, b.name) })
	return w.files, w.empty, nil
}

type walker struct {
	files []found
	empty []string
	above []fs.FileInfo // the folders on the way down to here
}

func (w *walker) folder(dir, name string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return filehash.Readable(dir, err)
	}
	if len(entries) == 0 && name != "" {
		w.empty = append(w.empty, name)
	}
	for _, e := range entries {
		path, below := filepath.Join(dir, e.Name()), e.Name()
		if name != "" {
			below = name + "/" + below
		}
		if !utf8.ValidString(e.Name()) {
			return fmt.Errorf("source %q: the name is not valid UTF-8, so it means nothing on other machines: rename it", path)
		}
		if err := w.entry(e, path, below); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(e fs.DirEntry, path, name string) error {
	info, err := os.Stat(path)
	if err != nil {
		return filehash.Readable(path, err)
	}
	if !info.IsDir() {
		if err := filehash.Regular(path, info); err != nil {
			return err
		}
		w.files = append(w.files, found{name, path, info.Mode()&0o100 != 0})
		return nil
	}
	if e.Type()&fs.ModeSymlink != 0 {
		for _, above := range w.above {
			if os.SameFile(above, info) {
				return fmt.Errorf("source %s: a symbolic link to a folder that it lies in, so the folder has no end: remove it", path)
			}
		}
	}
	w.above = append(w.above, info)
	err = w.folder(path, name)
	w.above = w.above[:len(w.above)-1]
	return err
}
