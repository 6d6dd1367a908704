package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
	"golang.org/x/sync/errgroup"
)

// unfold is c with its manifest and files known.
func (f *fetcher) unfold(ctx context.Context, c *content) (*content, error) {
	if c.folder != nil {
		return c, nil
	}
	if path, ok := filePath(c.file.uri); ok {
		return f.sameFolder(ctx, c, path)
	}
	file, err := f.openLocal(ctx, &c.file)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", c.file.where(), err)
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

// sameFolder is the folder of this machine that the source names, if it is
// unchanged: a source names one if results are not stored.
func (f *fetcher) sameFolder(ctx context.Context, c *content, path string) (*content, error) {
	now, err := f.findDir(ctx, path)
	if err != nil {
		return nil, err
	}
	if now.id != c.id {
		return nil, c.file.corrupt(c.file.uri, "a "+now.id.String())
	}
	return now, nil
}

// trees are folders of this machine with the content of sources.
type trees struct{ *fetcher }

// tree is a folder of this machine with all files of the source, complete and
// verified: in the cache, unless the source is a folder of this machine.
func (f *trees) tree(ctx context.Context, c *content) (string, error) {
	if path, ok := filePath(c.file.uri); ok {
		_, err := f.sameFolder(ctx, c, path)
		return path, err
	}
	if f.cache.Dir == "" {
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
	dir := f.treePath(c.id.Hash)
	return dir, localcache.Try(func() error {
		if _, err := os.Lstat(dir); err == nil {
			wrong := f.treeDiffers(ctx, dir, c)
			if wrong == nil {
				f.cache.Touch(dir)
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			f.log.WarnContext(ctx, "the folder in the cache was changed; unpacking it again", "folder", dir, "err", wrong)
			if err := f.cache.Remove(dir); err != nil {
				return err
			}
		}
		err := f.buildTree(ctx, dir, c)
		if err == nil {
			f.added(dir, c.id.Size)
		}
		return err
	})
}

// treeDiffers says how a folder in the cache differs from the source; nil if it
// does not.
func (f *trees) treeDiffers(ctx context.Context, dir string, c *content) error {
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

// buildTree unpacks the folder under another name, then renames it. It goes on
// where an earlier attempt ended. If another process is unpacking the folder,
// it waits for that.
func (f *trees) buildTree(ctx context.Context, dir string, c *content) error {
	part, err := f.cache.FolderPart(ctx, dir)
	if err != nil {
		return err
	}
	if err = f.unpack(ctx, part.Path, c); err == nil {
		err = part.PublishFolder(dir)
	}
	if err != nil && part.Overtaken() {
		err = localcache.ErrOvertaken
	}
	part.Close(!errors.Is(err, localcache.ErrFailed) && !errors.Is(err, localcache.ErrOvertaken)) // on a failure the disk is most often full
	return err
}

func (f *trees) unpack(ctx context.Context, dir string, c *content) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return localcache.Failure(err)
	}
	for _, name := range c.folder.Folders {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(name)), 0o755); err != nil {
			return localcache.Failure(err)
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

// unpackFile makes one file, unless it is there from an earlier attempt.
func (f *trees) unpackFile(ctx context.Context, path string, e entry, o *object) error {
	mode := fs.FileMode(0o444)
	if e.Executable {
		mode = 0o555
	}
	if info, err := os.Lstat(path); err == nil {
		if there, err := f.hashFile(ctx, path, true); err == nil && there.sum == o.sum && info.Mode() == mode {
			return nil
		}
		os.Remove(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return localcache.Failure(err)
	}
	at, err := f.placeOfObject(ctx, o)
	if err != nil {
		return err
	}
	remote := at.store != nil && !at.store.IsLocal()
	return localcache.Try(func() error {
		if remote {
			switch has, err := f.has(ctx, o); {
			case err != nil:
				return err
			case has: // as a file by itself
				at, remote = place{path: f.cachePath(o.sum)}, false
			}
		}
		if !remote || o.size <= rangeSize {
			return f.writeFile(ctx, at, o, path, mode)
		}
		return f.download(ctx, at, o, path, mode)
	})
}

func (f *trees) writeFile(ctx context.Context, at place, o *object, path string, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return localcache.Failure(err)
	}
	defer file.Close()
	if err := f.fetch(ctx, at, o, file); err != nil {
		return err
	}
	return f.finish(file, path, mode, o)
}
