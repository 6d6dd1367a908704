package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/filehash"
	"golang.org/x/sync/errgroup"
)

// ErrChanged says that a file changed, or went, between the moment when it was
// hashed and the moment when it was stored.
var ErrChanged = filehash.ErrChanged

// Resolve makes the identity of each source known: files and folders of this
// machine are hashed unless their hash is known from before, files at a URI are
// read once per version. It must come before encoding. A file that changed
// since an earlier Resolve gets a new identity. Nothing is stored.
func (f *Files) Resolve(ctx context.Context, refs []*Ref) error {
	return f.each(ctx, refs, func(ctx context.Context, _ int, r *Ref) error { return f.resolve(ctx, r) })
}

// each does something for all refs, side by side; the first error ends it.
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
	group.SetLimit(2 * cap(f.net)) // what it bounds is the number of goroutines, not the work
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
		if c := r.snapshot(); c != nil { // decoded: it is what it is
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

// share finds out what lies at a place now, one call after the other. Calls that
// come at one moment share an answer, if it was asked for after they came.
func (f *Files) share(ctx context.Context, place string, find func() (*content, error)) (*content, error) {
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
	defer done() // the rest of the answer is for who has the turn
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

// answer is what lay at a place some time after it was asked for.
type answer struct {
	wanted  int // by how many calls; with none, it is forgotten
	asked   time.Time
	content *content
}

// hashFile is a file of this machine as an object.
func (f *Files) hashFile(ctx context.Context, path string, trusted bool) (object, error) {
	file, err := f.hashes.File(ctx, path, trusted)
	if err != nil {
		return object{}, err
	}
	return object{sum: file.Sum, size: file.Size, path: path, stamp: file.Stamp, racy: file.Racy}, nil
}

func (f *Files) findFile(ctx context.Context, path string) (*content, error) {
	return f.share(ctx, path, func() (*content, error) { return f.lookAtFile(ctx, path) })
}

func (f *Files) lookAtFile(ctx context.Context, path string) (*content, error) {
	file, err := f.hashFile(ctx, path, false)
	if err != nil {
		return nil, err
	}
	return &content{id: Identity{Kind: KindFile, Hash: file.sum, Size: file.size}, file: file}, nil
}

func (f *Files) findDir(ctx context.Context, path string) (*content, error) {
	return f.share(ctx, path+"/", func() (*content, error) { return f.lookAtFolder(ctx, path) })
}

func (f *Files) lookAtFolder(ctx context.Context, path string) (*content, error) {
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
