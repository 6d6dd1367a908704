package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/sparse"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// Publish stores the sources that a function returns, before the result is
// stored, and returns their locations, in the order of refs. Files below outDir
// go below the call's folder, whose key is callPrefix, to out/<runID>/; those
// of FileAt to their URI; the content of all other files, and of all folders,
// under its hash. Sources that came in as arguments stay where they are, unless
// they are too old: see RelyFor. An empty outDir means that there is none.
// Publish looks at all refs before it stores anything. Afterwards all can be
// encoded.
func (f *Files) Publish(ctx context.Context, store *blob.Store, callPrefix, runID, outDir string, refs []*Ref, ttl time.Duration) ([]Location, error) {
	f.know(store)
	if outDir != "" { // filepath.Abs would make it the current folder
		absolute, err := filepath.Abs(outDir)
		if err != nil {
			return nil, fmt.Errorf("publish sources: %w", err)
		}
		outDir = absolute
	}
	p := &publication{f: f, store: store, callPrefix: callPrefix, ttl: ttl, out: outPrefix + runID, outDir: outDir, done: map[string]*content{}}
	targets := make([]target, len(refs))
	err := f.each(ctx, refs, func(ctx context.Context, i int, r *Ref) (err error) {
		targets[i], err = p.plan(ctx, r)
		return err
	})
	if err == nil {
		err = collision(refs, targets)
	}
	if err != nil {
		return nil, err
	}
	return f.located(ctx, refs, func(ctx context.Context, i int, r *Ref) (Location, error) {
		return p.publish(ctx, r, targets[i])
	})
}

// publication is one Publish.
type publication struct {
	f          *Files
	store      *blob.Store
	callPrefix string
	ttl        time.Duration // of the store
	out        string        // the place of files below outDir, relative to the call
	outDir     string

	mu   sync.Mutex
	done map[string]*content // by target
}

// target is where one source goes. The zero value: under its hash, or it stays
// where it is.
type target struct {
	at    string // as in Location
	place place
}

// plan finds the target of a source, and fails if the source cannot go there.
func (p *publication) plan(ctx context.Context, r *Ref) (target, error) {
	if r.path == "" {
		return target{}, p.f.resolve(ctx, r)
	}
	info, err := os.Stat(r.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return target{}, fmt.Errorf("returned source %s: there is no such file any more: a file that is returned must still be there when the function returns: %w", r.path, err)
		}
		return target{}, filehash.Readable(r.path, err)
	}
	if info.IsDir() || r.want == KindDir {
		return target{}, p.f.resolve(ctx, r)
	}
	if err := filehash.Regular(r.path, info); err != nil {
		return target{}, err
	}
	if r.uri != "" {
		at, err := p.f.placeOf(ctx, r.uri)
		if err != nil {
			return target{}, fmt.Errorf("returned source %s: it cannot go to %s: %w", r.path, r.uri, err)
		}
		return target{r.uri, at}, nil
	}
	name, ok := below(p.outDir, r.path)
	if !ok {
		return target{}, p.f.resolve(ctx, r)
	}
	at := p.out + "/" + filepath.ToSlash(name)
	key := path.Join(p.callPrefix, at)
	if err := blob.ValidKey(key); err != nil {
		return target{}, fmt.Errorf("returned source %s: a file of this name cannot be stored: rename it: %w", r.path, err)
	}
	return target{at, place{store: p.store, key: key}}, nil
}

// below is the path relative to the folder dir, if name lies in it, also if
// symbolic links lead to one of the two.
func below(dir, name string) (string, bool) {
	if dir == "" {
		return "", false
	}
	rel, err := filepath.Rel(dir, name)
	if err == nil && filepath.IsLocal(rel) {
		return rel, true
	}
	realDir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", false
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return "", false
	}
	rel, err = filepath.Rel(realDir, filepath.Join(parent, filepath.Base(name)))
	return rel, err == nil && filepath.IsLocal(rel)
}

// collision finds two files that would go to one place.
func collision(refs []*Ref, targets []target) error {
	from := map[string]string{}
	for i, t := range targets {
		if t.at == "" {
			continue
		}
		other, taken := from[t.at]
		if taken && other != refs[i].path {
			return fmt.Errorf("returned sources %s and %s both go to %s: one would replace the other; give them places of their own (nothing was stored)", other, refs[i].path, t.at)
		}
		from[t.at] = refs[i].path
	}
	return nil
}

func (p *publication) publish(ctx context.Context, r *Ref, t target) (Location, error) {
	if t.at == "" {
		return p.f.locate(ctx, p.store, r.snapshot(), p.ttl)
	}
	done, err := p.f.turns.take(ctx, "publish "+p.store.URI(p.callPrefix)+" "+t.at)
	if err != nil {
		return Location{}, err
	}
	defer done()
	p.mu.Lock()
	c := p.done[t.at] // one file may be returned twice
	p.mu.Unlock()
	if c == nil {
		if c, err = p.put(ctx, r.path, t); err != nil {
			return Location{}, err
		}
		p.mu.Lock()
		p.done[t.at] = c
		p.mu.Unlock()
	}
	r.set(p.f, c)
	return Location{c.id, t.at}, nil
}

func (p *publication) put(ctx context.Context, from string, t target) (*content, error) {
	if t.place.path != "" {
		var c *content
		err := blob.RetryPolicy{Tries: 3, Log: p.f.log}.Do(ctx, func() (err error) { c, err = p.f.copyTo(ctx, from, t); return err })
		return c, err
	}
	sum, stamp, err := p.f.putFile(ctx, t.place.store, t.place.key, &object{path: from}, blob.PutOptions{})
	if err != nil {
		return nil, err
	}
	return fileContent(object{sum: sum, size: stamp.Size, store: t.place.store, key: t.place.key}), nil
}

// copyError is storeError for a plain file: errors that may pass get a store's
// kind.
func copyError(from string, t target, err error) error {
	for _, passing := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.ESTALE, syscall.ETIMEDOUT} {
		if errors.Is(err, passing) {
			err = &blob.Error{Op: "put", URI: t.at, Kind: blob.Unavailable, Err: err}
			break
		}
	}
	return storeError(from, err)
}

// copyTo copies a file to a plain file that a user named, whole or not at all.
func (f *keeper) copyTo(ctx context.Context, from string, t target) (*content, error) {
	to := t.place.path
	if a, err := os.Stat(from); err == nil {
		if b, err := os.Stat(to); err == nil && os.SameFile(a, b) { // the function wrote it there
			c, err := f.findFile(ctx, from)
			if err != nil {
				return nil, err
			}
			return fileContent(object{sum: c.file.sum, size: c.file.size, uri: t.at}), nil
		}
	}
	file, err := filehash.OpenAgain(from)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s, err := filehash.FileStamp(file)
	if err != nil {
		return nil, filehash.Readable(from, err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return nil, copyError(from, t, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(to), ".mops-*")
	if err != nil {
		return nil, copyError(from, t, err)
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	_, done, err := f.cpu.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	b := f.hashes.Body(file, from, s, nil)
	defer b.End()
	whole := sparse.New(temp, 0)
	if _, err = io.Copy(whole, b); err == nil {
		err = whole.Close()
	}
	if err != nil {
		if b.Err != nil {
			return nil, b.Err
		}
		return nil, copyError(from, t, err)
	}
	if err := errors.Join(temp.Chmod(0o644), temp.Close()); err != nil {
		return nil, copyError(from, t, err)
	}
	if err := os.Rename(temp.Name(), to); err != nil {
		return nil, copyError(from, t, err)
	}
	return fileContent(object{sum: b.Sum, size: s.Size, uri: t.at}), nil
}

// Upload makes sure that store holds the content of each source, as Resolve
// found it, and returns the locations, in the order of refs. It leaves content
// alone that is there already, whole and young enough, and files at URIs stay
// where they are. If a file changed since Resolve, the error is ErrChanged. The
// store's time to live decides what is young enough: see RelyFor.
func (f *Files) Upload(ctx context.Context, store *blob.Store, refs []*Ref, ttl time.Duration) ([]Location, error) {
	f.know(store)
	return f.located(ctx, refs, func(ctx context.Context, _ int, r *Ref) (Location, error) {
		c := r.snapshot()
		if c == nil {
			return Location{}, fmt.Errorf("source %s: it was not resolved before it was uploaded", r)
		}
		return f.locate(ctx, store, c, ttl)
	})
}

// located is each for what finds, or makes, the location of each source.
func (f *Files) located(ctx context.Context, refs []*Ref, do func(ctx context.Context, i int, r *Ref) (Location, error)) ([]Location, error) {
	locations := make([]Location, len(refs))
	err := f.each(ctx, refs, func(ctx context.Context, i int, r *Ref) (err error) {
		locations[i], err = do(ctx, i, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return locations, nil
}

// locate makes sure of the content in store, or at its URI, and returns its
// location.
func (f *keeper) locate(ctx context.Context, store *blob.Store, c *content, ttl time.Duration) (Location, error) {
	l := Location{Identity: c.id}
	if c.id.Kind == KindDir {
		var err error
		l.At, err = f.keepFolder(ctx, store, c, ttl)
		return l, err
	}
	if c.file.uri != "" {
		at, err := f.placeOf(ctx, c.file.uri)
		if err != nil {
			return l, err
		}
		if at.store == nil || at.store.Identity() != store.Identity() {
			l.At = c.file.uri
			return l, nil
		}
	}
	o := c.file
	if o.store == nil && o.uri == "" && o.path == "" && o.data == nil && o.value == nil { // only its hash is known
		o.store, o.key = store, BlobKey(c.id.Hash)
	}
	var err error
	l.At, err = f.keep(ctx, store, &o, ttl)
	if err == nil && c.file.value != nil {
		c.file.value.stored()
	}
	return l, err
}
