// Package fileblob keeps blobs in a folder, on a local disk or on NFS, under
// URIs such as file:///data/mops, file://~/.mops or file://results (relative to
// the working directory). It is a driver below package blob; importing it
// registers the scheme file. Any number of processes and hosts may use one
// root; none of them ever waits for another, for there are no locks.
//
// # Layout
//
// The blob K is the plain file <root>/K as long as nobody wrote over it, so
// that reading it, or missing it, costs little more than opening that file.
// What is written over it lies beside it, in the folder K~:
//
//	lease                                  version 0
//	lease~/17.5a1-18bd5f1c2a9e3340         version 17, the newest
//	lease~/16.5a1-18bd5f1c2a9e3340
//	…
//
// The newest version is the one with the highest number. Behind the number
// stands the life of the blob: the identity (inode and modification time) of
// version 0. A blob that is deleted and written again has another life, so
// nothing left over from an earlier life counts, whoever left it and whenever.
// To be sure that identities do not recur, the nanoseconds of a file's time are
// turned back by a random part of a millisecond.
//
// Parts of keys that would collide with this (they end in ~, start with
// .mops-tmp or .nfs, or contain %) are percent-escaped in file names.
//
// # Why conditional puts are safe
//
// A file is written completely under no name, or a temporary one, and then
// published by link(2), which fails when the name is taken: atomically, on NFS
// too. Put if absent links K. A swap from version n links version n+1, so of
// all who swap version n one at most wins. That leaves those whose version n
// went out of date long ago, because old versions are removed:
//
//   - Who has swapped successfully removes what is more than 16 versions old, in
//     ascending order. So version n+1 is removed only after version n, and who
//     linked n+1 and still finds the very file of version n in place knows that
//     n+1 had never existed before. Who does not find it was out of date, takes
//     the link away again and reports a mismatch. Nobody has read it meanwhile:
//     a higher version always exists.
//   - Version 0 is never removed, as readers start there; so it cannot show that
//     it is out of date. Therefore version 1 stays, too: a swap from version 0
//     then always fails. And so that version 1 can show that it is out of date,
//     the removal of version 2 is to rename it over version 1, which changes
//     identity in the same instant.
//   - Delete unlinks K, which ends the life. A swap that is under way then
//     succeeds or not, but never touches the next life, whose version files have
//     other names.
//
// A directory must be listed faithfully for that (POSIX: what is there all the
// time is listed), and files must keep their inode number and their time to the
// microsecond or better, which file systems with hard links do, with the
// exception of some of FUSE. On NFS, a reader may see a blob as it was up to a
// minute ago (nfs(5), attribute caching); a put fails properly even then.
//
// # What survives
//
// A process that is killed leaves no part of a blob, at most an unnamed or
// temporary file; those older than a day are removed when a root is opened. A
// loss of power is another thing: only a put with Durable waits for fsync(2) of
// the file and of the folders up to the root. After any other the newest blobs
// may be missing, empty or torn, as fsync would triple the cost of a call. The
// records of mops carry a checksum: a torn one is a miss with a reason, never a
// wrong result.
//
// # Trust
//
// Keys cannot climb out of the root, but symbolic links in the root are
// followed: whoever owns the root is trusted. Files are created with mode 0444
// and folders with 0777, both under the umask; for a team, set the setgid bit
// on the root's folder and a umask of 002. On file systems that ignore case, as
// on most Macs, keys that differ only in case are one blob. A blob cannot lie
// under another blob (a and a/b), as a file is not a folder.
package fileblob

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

func init() {
	blob.Register(scheme, func(ctx context.Context, uri string) (driver.Store, error) {
		dir, err := dirOf(uri)
		if err != nil {
			return nil, err
		}
		return open(ctx, dir)
	})
}

// Open opens the store in a folder, which the first put creates. The path is a
// plain one, not a URI.
func Open(dir string) (*blob.Store, error) {
	uri := uriOf(dir)
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &blob.Error{Op: "open", URI: uri, Kind: blob.Invalid, Err: err}
	}
	s, err := open(context.Background(), abs)
	if err != nil {
		return nil, &blob.Error{Op: "open", URI: uri, Kind: blob.KindOf(err), Err: errors.Unwrap(err)}
	}
	return blob.New(s.Root(), s), nil
}

// store is a root folder. It holds no open files.
type store struct {
	dir    string // absolute and clean
	prefix string // dir with a trailing slash

	// named says that temporary files need names, because the file system
	// cannot link unnamed ones. It is found out by trying.
	named atomic.Bool
}

var _ driver.Decorator = (*store)(nil) // every ability

func open(ctx context.Context, dir string) (*store, error) {
	dir = filepath.Clean(dir)
	s := &store{dir: dir, prefix: strings.TrimSuffix(dir, "/") + "/"}
	s.named.Store(alwaysNamed)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, os.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, classify(err)
	case !info.IsDir():
		return nil, &driver.Error{Kind: driver.Invalid,
			Err: fmt.Errorf("%s is a file, and a root must be a folder", dir)}
	}
	s.sweep(ctx)
	return s, nil
}

// Root is the canonical URI of the root.
func (s *store) Root() string { return uriOf(s.dir) }

// Close does nothing, as a store holds nothing open.
func (s *store) Close() error { return nil }
