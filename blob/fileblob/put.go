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

// kept is how many old versions stay behind the newest, so that a reader that
// found one finds it still there a moment later.
const kept = 16

var mismatch = &driver.Error{Kind: driver.Mismatch}

// Put writes a blob: complete first, then published by a link.
func (s *store) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	path, err := s.path(key)
	if err != nil {
		return driver.Info{}, err
	}
	// Looking first saves most losers the writing.
	now, err := look(ctx, path, opts)
	if err != nil {
		return driver.Info{}, err
	}
	st, err := s.stage(ctx, filepath.Dir(path), body, size, opts.Durable)
	if err != nil {
		s.prune(path)
		return driver.Info{}, err
	}
	defer func() { st.discard() }()
	for {
		v, err := st.put(path, now)
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
}

// state is what a put writes over: a version, or nothing.
type state struct {
	there   bool
	version version
	numbers []uint64 // of the later versions, ascending
}

// look finds what there is to write over, and checks the conditions of the put
// as far as that is possible before writing.
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
		f.Close()
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
	return state{true, f.version, f.numbers}, nil
}

// put publishes the file over the state that was found, and says as what version.
func (st *staged) put(path string, over state) (version, error) {
	if over.there {
		return st.swap(path, over)
	}
	_, err := withFolder(filepath.Dir(path), func() (any, error) { return nil, st.publish(path) })
	if errors.Is(err, fs.ErrExist) {
		return version{}, taken(path)
	}
	return version{0, st.identity, st.identity}, classify(err)
}

// taken says what is in the way of a put if absent.
func taken(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return invalid("a folder lies where the blob should be: one blob cannot lie under another")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return classify(err)
	}
	return &driver.Error{Kind: driver.Exists}
}

// swap publishes the file as the successor of a version. The package's
// documentation says why it can be sure of that.
func (st *staged) swap(path string, over state) (version, error) {
	old := over.version
	next := version{old.number + 1, old.life, st.identity}
	publish := func() (any, error) { return nil, st.publish(next.at(path)) }
	var err error
	if old.number == 0 {
		_, err = withFolder(versionsOf(path), publish)
	} else {
		_, err = publish() // without the folder, there is no version to follow
	}
	switch {
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return version{}, mismatch
	case err != nil:
		return version{}, classify(err)
	}
	switch id, err := identityOf(old.at(path)); {
	case err != nil && !isNotExist(err) && !errors.Is(err, errStale):
		return version{}, &driver.Error{Kind: driver.Unavailable,
			Err: fmt.Errorf("the blob was written, but perhaps over a newer version: %w", err)}
	case err != nil || id != old.file:
		st.spent = true
		os.Remove(next.at(path))
		removeEmpty(versionsOf(path)) // if we made it for nothing
		return version{}, mismatch
	}
	removeOld(path, old.life, next.number, over.numbers)
	return next, nil
}

// removeOld removes what is too far behind the newest version. The order
// matters, and so does stopping at what cannot be removed.
func removeOld(path string, life identity, newest uint64, numbers []uint64) {
	for _, number := range numbers {
		var err error
		switch file := versionFile(path, number, life); {
		case number+kept > newest:
			return
		case number == 1: // stays, in name
		case number == 2:
			err = os.Rename(file, versionFile(path, 1, life))
		default:
			err = os.Remove(file)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
}

func kindOf(err error) driver.Kind {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Kind
	}
	return driver.Other
}
