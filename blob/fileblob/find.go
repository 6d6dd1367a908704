package fileblob

import (
	"context"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// attributes are what the file system says of an open file.
type attributes struct {
	identity
	size  int64
	links uint64 // names that the file has; 0 after the last was removed
	dir   bool
}

func (a attributes) info(key string, v version) driver.Info {
	return driver.Info{Key: key, Size: a.size, ModTime: time.Unix(0, a.mtime), Version: v.token()}
}

// found is the newest version of a blob, open for reading.
type found struct {
	handle
	attributes
	version version
	numbers []uint64 // of the later versions that were there, ascending
}

// find opens the newest version of the blob whose version 0 is at path. A blob
// that is not there costs one system call, and one that was never written over
// costs three.
func find(ctx context.Context, path string) (found, error) {
	for {
		if err := ctx.Err(); err != nil {
			return found{}, err
		}
		f, again, err := findOnce(path)
		if !again {
			return f, err
		}
	}
}

// findOnce asks to be called again when another process was faster.
func findOnce(path string) (f found, again bool, err error) {
	base, err := openHandle(path)
	if err != nil {
		return found{}, false, missing(err)
	}
	written := exists(versionsOf(path))
	a, err := base.stat() // after exists, so that links tells of a Delete in between
	if err != nil {
		base.Close()
		return found{}, false, classify(err)
	}
	if a.dir || a.links == 0 {
		base.Close()
		return found{}, false, notFound
	}
	f = found{handle: base, attributes: a, version: version{0, a.identity, a.identity}}
	if !written {
		return f, false, nil
	}
	f.numbers, err = numbersOf(path, a.identity)
	if err != nil {
		base.Close()
		return found{}, false, classify(err)
	}
	if len(f.numbers) == 0 {
		if a, err = base.stat(); err == nil && a.links > 0 {
			return f, false, nil
		}
		base.Close()
		return found{}, true, notFound
	}
	base.Close()
	f.version.number = f.numbers[len(f.numbers)-1]
	if f.handle, err = openHandle(f.version.at(path)); err != nil {
		return found{}, isNotExist(err), classify(err) // removed as too old, meanwhile
	}
	if f.attributes, err = f.handle.stat(); err != nil {
		f.Close()
		return found{}, false, classify(err)
	}
	f.version.file = f.identity
	return f, false, nil
}

// numbersOf lists the later versions in a life of a blob, ascending.
func numbersOf(path string, life identity) ([]uint64, error) {
	names, err := readNames(versionsOf(path))
	if err != nil && !isNotExist(err) {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		if number, of, ok := parseVersionFile(name); ok && of == life {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// identityOf asks for the identity of the file at path. It opens the file,
// because an NFS client asks the server at every open, but answers stat from
// its cache (nfs(5), close-to-open consistency).
func identityOf(path string) (identity, error) {
	h, err := openHandle(path)
	if err != nil {
		return identity{}, err
	}
	defer h.Close()
	a, err := h.stat()
	return a.identity, err
}
