package fileblob

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/openfile"
)

// attributes are what the file system says of an open file.
type attributes struct {
	identity
	size  int64
	links uint64 // names that the file has; 0 after the last was removed
	mode  fs.FileMode
	group int
}

func (a attributes) info(key string, v version) driver.Info {
	return driver.Info{Key: key, Size: a.size, ModTime: time.Unix(0, a.mtime), Version: v.token()}
}

// found is the newest version of a blob, open for reading.
type found struct {
	handle
	attributes
	version version
	earlier []version // files of this life that are behind it
}

// plenty is how often one tries while other processes are faster.
const plenty = 1000

// find opens the newest version of the blob at path. A blob that is not there
// costs two system calls, and one that was never written over costs three.
func find(ctx context.Context, path string) (found, error) {
	for range plenty {
		if err := ctx.Err(); err != nil {
			return found{}, err
		}
		f, again, err := findOnce(path)
		if !again {
			return f, err
		}
	}
	return found{}, &driver.Error{Kind: driver.Corrupt, Err: fmt.Errorf(
		"%s does not tell the newest version, or that is not there; %s", versionsOf(path), startOver(path))}
}

// startOver is what to do where later versions are beyond hope.
func startOver(path string) string {
	return fmt.Sprintf("remove the folder %s with all in it, and the blob is as it was at first", versionsOf(path))
}

// findOnce asks to be called again when another process was faster.
func findOnce(path string) (f found, again bool, err error) {
	base, err := openHandle(path)
	if err != nil {
		return found{}, false, missing(path, err)
	}
	return latest(path, base)
}

// latest opens the newest version of the blob whose version 0 is open, and takes
// over that.
func latest(path string, base handle) (f found, again bool, err error) {
	written := exists(versionsOf(path))
	a, err := base.stat() // after exists, so that links tells of a Delete in between
	if err != nil {
		base.Close()
		return found{}, false, classify(err)
	}
	if a.mode.IsDir() || a.links == 0 { // blobs may lie under it
		base.Close()
		return found{}, false, notFound
	}
	if !a.mode.IsRegular() {
		base.Close()
		return found{}, false, irregular(path, a.mode)
	}
	first := found{handle: base, attributes: a, version: version{life: a.identity}}
	if !written {
		return first, false, nil
	}
	return later(path, first)
}

// later opens the newest of the versions beyond the first, if there are any.
func later(path string, first found) (f found, again bool, err error) {
	names, err := readNames(lifeOf(path, first.version.life))
	if isNotExist(err) || err == nil && len(names) == 0 { // others have lived here
		if first.attributes, err = first.stat(); err == nil && first.links > 0 {
			return first, false, nil
		}
		first.Close()
		return found{}, true, nil
	}
	first.Close()
	if err != nil {
		return found{}, false, classify(err)
	}
	v, earlier := sift(names, first.version.life)
	if v.number == 0 {
		return found{}, true, nil // deleted, or just renamed
	}
	f = found{version: v, earlier: earlier}
	if f.handle, err = openHandle(v.at(path)); err != nil {
		return found{}, isNotExist(err), classify(err) // removed as too old
	}
	if f.attributes, err = f.stat(); err == nil && !f.mode.IsRegular() {
		err = invalid("%w; %s", &openfile.IrregularError{Path: v.at(path), Mode: f.mode}, startOver(path))
	}
	if err != nil {
		f.Close()
		return found{}, false, classify(err)
	}
	return f, false, nil
}

// sift finds the newest version in a life, and the files of those behind it.
func sift(names []string, life identity) (now version, earlier []version) {
	var all []version
	for _, name := range names {
		name, pointer := strings.CutSuffix(name, newest)
		v, ok := parseName(name)
		v.life = life
		if !ok {
			continue
		}
		if !pointer {
			all = append(all, v)
		} else if v.number > now.number { // two, if it was renamed while we read
			now = v
		}
	}
	for _, v := range all {
		if v.number < now.number {
			earlier = append(earlier, v)
		}
	}
	return now, earlier
}

// lifeAt is the identity of version 0, or none where there is no blob. It opens
// the file, because an NFS client asks the server at every open, but answers stat
// from its cache (nfs(5), close-to-open consistency).
func lifeAt(path string) (identity, error) {
	h, err := openHandle(path)
	if isNotExist(err) {
		return identity{}, nil
	}
	if err != nil {
		return identity{}, err
	}
	defer h.Close()
	a, err := h.stat()
	if a.links == 0 {
		return identity{}, err
	}
	return a.identity, err
}
