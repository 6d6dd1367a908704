package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/TrilliantHealth/mops-go/blob"
	"golang.org/x/sync/errgroup"
)

// unfold is c with its manifest and files known.
func (f *Files) unfold(ctx context.Context, c *content) (*content, error) {
	if c.folder != nil {
		return c, nil
	}
	if path, ok := filePath(c.file.uri); ok {
		return f.sameFolder(ctx, c, path)
	}
	path, err := f.localFile(ctx, &c.file)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, gone(c.file.where(), err)
	}
	m, err := decodeManifest(data)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", c.file.where(), err)
	}
	if m.size() != c.id.Size {
		return nil, fmt.Errorf("source %s: its files have %d bytes, and its record says %d", c.file.where(), m.size(), c.id.Size)
	}
	full := *c
	full.folder = m
	for _, e := range m.Files {
		full.objects = append(full.objects, object{sum: e.Hash, size: e.Size, store: c.file.store, key: BlobKey(e.Hash)})
	}
	return &full, nil
}

// sameFolder is the folder of this machine that a source was said to be, which
// happens where results are not stored.
func (f *Files) sameFolder(ctx context.Context, c *content, path string) (*content, error) {
	now, err := f.findDir(ctx, path)
	if err != nil {
		return nil, err
	}
	if now.id != c.id {
		return nil, c.file.corrupt(c.file.uri, "a "+now.id.String())
	}
	return now, nil
}

// tree is a folder of this machine with all files of the source, complete and
// verified: in the cache, unless the source is a folder of this machine.
func (f *Files) tree(ctx context.Context, c *content) (string, error) {
	if path, ok := filePath(c.file.uri); ok {
		_, err := f.sameFolder(ctx, c, path)
		return path, err
	}
	if f.cacheDir == "" {
		return "", fmt.Errorf("source %s: there is no cache folder to unpack it to: set one", c.file.where())
	}
	c, err := f.unfold(ctx, c)
	if err != nil {
		return "", err
	}
	hash := c.id.Hash.String()
	done, err := f.turns.take(ctx, "tree "+hash)
	if err != nil {
		return "", err
	}
	defer done()
	dir := filepath.Join(f.cacheDir, "trees", hash)
	for range 3 { // other processes may build or remove it at the same moment
		if _, err := os.Stat(dir); err == nil {
			wrong := f.treeDiffers(ctx, dir, c)
			if wrong == nil {
				return dir, nil
			}
			if err := ctx.Err(); err != nil {
				return "", err
			}
			f.log.WarnContext(ctx, "the folder in the cache was changed; unpacking it again", "folder", dir, "err", wrong)
		}
		if err = f.buildTree(ctx, dir, c); err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) || blob.Is(err, blob.NotFound) {
			return "", err
		}
	}
	return "", err
}

// treeDiffers says in what a folder in the cache differs from the source.
func (f *Files) treeDiffers(ctx context.Context, dir string, c *content) error {
	files, empty, err := walk(dir)
	if err != nil {
		return err
	}
	if len(files) != len(c.folder.Files) || !slices.Equal(slices.Sorted(slices.Values(empty)), c.folder.Folders) {
		return errors.New("files or folders were added or removed")
	}
	for i, e := range c.folder.Files {
		if files[i].name != e.Path {
			return fmt.Errorf("%s is not there", e.Path)
		}
		file, err := f.hashFile(ctx, files[i].path, true)
		if err != nil {
			return err
		}
		if file.sum != e.Hash {
			return fmt.Errorf("%s has another content", e.Path)
		}
	}
	return nil
}

// buildTree unpacks the folder under another name, then renames it.
func (f *Files) buildTree(ctx context.Context, dir string, c *content) error {
	temp, err := f.tempDir()
	if err != nil {
		return err
	}
	if temp, err = os.MkdirTemp(temp, "tree-*"); err != nil {
		return cacheError(err)
	}
	defer os.RemoveAll(temp)
	building := filepath.Join(temp, "new")
	if err := f.unpack(ctx, building, c); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return cacheError(err)
	}
	if err := os.Rename(dir, filepath.Join(temp, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cacheError(err)
	}
	return cacheError(os.Rename(building, dir))
}

func (f *Files) unpack(ctx context.Context, dir string, c *content) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return cacheError(err)
	}
	for _, name := range c.folder.Folders {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(name)), 0o755); err != nil {
			return cacheError(err)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(f.net))
	for i, e := range c.folder.Files {
		name := filepath.FromSlash(e.Path)
		if !filepath.IsLocal(name) { // another system's idea of a name: C:, NUL
			return fmt.Errorf("source %s: file %q has a name that this machine cannot use", c.file.where(), e.Path)
		}
		group.Go(func() error {
			return f.unpackFile(ctx, filepath.Join(dir, name), e, &c.objects[i])
		})
	}
	return group.Wait()
}

func (f *Files) unpackFile(ctx context.Context, path string, e entry, o *object) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return cacheError(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return cacheError(err)
	}
	defer file.Close()
	at, err := f.placeOfObject(ctx, o)
	if err != nil {
		return err
	}
	if err := f.fetch(ctx, at, o, file); err != nil {
		return err
	}
	mode := fs.FileMode(0o444)
	if e.Executable {
		mode = 0o555
	}
	return f.finish(file, path, mode, o)
}
