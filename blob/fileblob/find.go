package fileblob

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// found is the newest version of a blob, open for reading.
type found struct {
	file *os.File
	attributes
	version version
	earlier []version // older files of this life
}

// plenty is how often to try while other processes are faster.
const plenty = 1000

// find opens the newest version of the blob at path. A missing blob costs two
// system calls, a blob that was never written over three.
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

// startOver is advice for later versions that are beyond repair.
func startOver(path string) string {
	return fmt.Sprintf("remove the folder %s with all in it, and the blob is as it was at first", versionsOf(path))
}

// findOnce asks to be called again if another process was faster.
func findOnce(path string) (f found, again bool, err error) {
	base, err := openBlob(path)
	if err != nil {
		return found{}, false, missing(path, err)
	}
	return latest(path, base)
}

// latest opens the newest version of a blob, given its open version 0, which it
// closes or returns.
func latest(path string, base *os.File) (f found, again bool, err error) {
	written := exists(versionsOf(path))
	a, err := statOf(base) // after exists, so that links shows a Delete in between
	if err != nil {
		base.Close()
		return found{}, false, classify(err)
	}
	if a.mode.IsDir() || a.links == 0 { // a folder of blobs, or deleted
		base.Close()
		return found{}, false, notFound
	}
	if !a.mode.IsRegular() {
		base.Close()
		return found{}, false, irregular(path, a.mode)
	}
	first := found{file: base, attributes: a, version: version{life: a.identity}}
	if !written {
		return first, false, nil
	}
	return later(path, first)
}

// later opens the newest version after the first, if there is one.
func later(path string, first found) (f found, again bool, err error) {
	names, err := readNames(lifeOf(path, first.version.life))
	if isNotExist(err) || err == nil && len(names) == 0 { // the folder K~ is from other lives
		if first.attributes, err = statOf(first.file); err == nil && first.links > 0 {
			return first, false, nil
		}
		first.file.Close()
		return found{}, true, nil
	}
	first.file.Close()
	if err != nil {
		return found{}, false, classify(err)
	}
	v, earlier := sift(names, first.version.life)
	if v.number == 0 {
		return found{}, true, nil // deleted, or just renamed
	}
	f = found{version: v, earlier: earlier}
	if f.file, err = openBlob(v.at(path)); err != nil {
		return found{}, isNotExist(err), classify(err) // removed as too old
	}
	if f.attributes, err = statOf(f.file); err == nil && !f.mode.IsRegular() {
		err = invalid("%w; %s", &openfile.IrregularError{Path: v.at(path), Mode: f.mode}, startOver(path))
	}
	if err != nil {
		f.file.Close()
		return found{}, false, classify(err)
	}
	return f, false, nil
}

// sift finds the newest version in a life, and the files of older ones.
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
		} else if v.number > now.number { // two pointers, if one was renamed while we read
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

// lifeAt is the identity of version 0, or zero if there is no blob. It opens
// the file, because an NFS client asks the server at every open, but answers
// stat from its cache (nfs(5), close-to-open consistency).
func lifeAt(path string) (identity, error) {
	file, err := openBlob(path)
	if isNotExist(err) {
		return identity{}, nil
	}
	if err != nil {
		return identity{}, err
	}
	defer file.Close()
	a, err := statOf(file)
	if a.links == 0 {
		return identity{}, err
	}
	return a.identity, err
}
