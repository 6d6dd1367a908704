package fileblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// smallBody is the size up to which a put if absent writes without looking
// first: most puts find the place empty, and looking takes longer than writing
// so little in vain.
const smallBody = 64 << 10

// Put writes a complete file first, and then publishes it.
func (s *store) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (_ driver.Info, err error) {
	defer s.letIn(&err)
	path, err := s.path(key)
	if err != nil {
		return driver.Info{}, err
	}
	var now state
	if small := size >= 0 && size <= smallBody; !small || !opts.IfAbsent || opts.IfVersion != "" {
		// Looking first saves most losers the writing.
		if now, err = look(ctx, path, opts); err != nil {
			return driver.Info{}, err
		}
	} else if err := ctx.Err(); err != nil {
		return driver.Info{}, err
	}
	st, err := s.stage(ctx, filepath.Dir(path), body, size, opts.Durable)
	if err != nil {
		s.prune(path)
		return driver.Info{}, err
	}
	defer func() { st.discard() }()
	for range plenty {
		v, err := s.publish(st, path, now)
		if err == nil {
			if opts.Durable {
				err = s.syncFolders(v.at(path))
			}
			return st.info(key, v), err
		}
		conditional := opts.IfAbsent || opts.IfVersion != ""
		if kind := kindOf(err); conditional || kind != driver.Exists && kind != driver.Mismatch {
			s.prune(path)
			return driver.Info{}, err
		}
		if now, err = look(ctx, path, opts); err != nil {
			return driver.Info{}, err
		}
		if !st.spent {
			continue
		}
		again, err := s.stage(ctx, filepath.Dir(path), io.NewSectionReader(st.file, 0, st.size), st.size, opts.Durable)
		if err != nil {
			return driver.Info{}, err
		}
		st.discard()
		st = again
	}
	return driver.Info{}, &driver.Error{Kind: driver.Unavailable, Err: fmt.Errorf(
		"others write to %s all the time: %d times they were faster", path, plenty)}
}

// state is what a put writes over: a version, or nothing.
type state struct {
	there   bool
	version version
	earlier []version // files of older versions
}

// look finds what there is to write over, and checks the conditions of the put
// as far as possible before writing.
func look(ctx context.Context, path string, opts driver.PutOptions) (state, error) {
	if opts.IfAbsent && opts.IfVersion != "" {
		return state{}, &driver.Error{Kind: driver.Invalid, Err: errBothConditions}
	}
	if opts.IfAbsent {
		if err := ctx.Err(); err != nil {
			return state{}, err
		}
		if exists(path) {
			return state{}, taken(path)
		}
		return state{}, nil
	}
	f, err := find(ctx, path)
	switch kind := kindOf(err); {
	case err == nil:
		f.file.Close()
	case kind == driver.NotFound && opts.IfVersion != "":
		return state{}, mismatch
	case kind == driver.NotFound:
		return state{}, nil
	default:
		return state{}, err
	}
	if opts.IfVersion != "" {
		if v, ok := parseToken(opts.IfVersion); !ok || v != f.version {
			return state{}, mismatch
		}
	}
	return state{true, f.version, f.earlier}, nil
}

// publish publishes the file over the state that look found, and returns its
// version.
func (s *store) publish(st *staged, path string, over state) (version, error) {
	if over.there {
		return s.swap(st, path, over)
	}
	err := s.withFolder(filepath.Dir(path), func() error { return st.publish(path) })
	if errors.Is(err, fs.ErrExist) {
		return version{}, taken(path)
	}
	return version{life: st.identity}, classify(err)
}

// taken says what obstructs a put if absent.
func taken(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return invalid("%s is a folder, and lies where the blob should be: one blob cannot lie under another; if nothing that you need is in it, remove it", path)
	case isNotExist(err) && dangling(path) != nil:
		return dangling(path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return classify(err)
	}
	return &driver.Error{Kind: driver.Exists}
}

func kindOf(err error) driver.Kind {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Kind
	}
	return driver.Other
}
