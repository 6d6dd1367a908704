// Package fileblob keeps blobs in a folder, on a local disk or on NFS, under
// URIs such as file:///data/mops, file://~/.mops or file://./results (relative
// to the working directory). It is a driver below package blob; importing it
// registers the scheme file. Any number of processes and hosts may use one
// root. There are no locks, so no process ever waits for another.
//
// # Layout
//
// The blob K is the plain file <root>/K until somebody writes over it, so that
// reading it, or missing it, costs little more than opening that file. Later
// versions lie beside it, in the folder K~:
//
//	lease                                              version 0
//	lease~/5a1-18bd5f1c2a9e3340/17-8c1f20d3a4b5e697          version 17
//	lease~/5a1-18bd5f1c2a9e3340/17-8c1f20d3a4b5e697.newest   the pointer to it
//	lease~/5a1-18bd5f1c2a9e3340/16-02d1e5f60718293a
//	…
//
// Each version after the first is a file with a number and a nonce. One empty
// file, whose name ends in .newest, is the pointer: its name says which version
// is the newest.
//
// The versions lie in a folder for the life of the blob, named after the
// identity (inode and modification time) of version 0. A blob that is deleted
// and written again has another life, so nothing left over from an earlier life
// counts, no matter which process left it or when. To keep identities from
// recurring, a put turns the nanoseconds of a file's time back by a random part
// of a millisecond.
//
// Some parts of keys would collide with these names, or with names that file
// systems use themselves: parts that end in ~, start with .mops-tmp or .nfs,
// contain %, or are lost+found. They are percent-escaped in file names.
//
// # Why conditional puts are safe
//
// The problem: two processes may put the same blob at the same moment. A put if
// absent must succeed for one of them only. So must a swap, which replaces
// exactly one version. Locks are no answer: on network file systems, flock(2)
// may be local or emulated.
//
// The idea: let the file system decide, by one atomic operation that works only
// once. Each put first writes its file completely, under no name or a temporary
// one, and then publishes it:
//
//   - A put if absent publishes by link(2), which fails if the name is taken,
//     atomically, on NFS too.
//   - A swap publishes its file under a name with a nonce, where nobody looks
//     for it. Then it renames the pointer: from the name that it has while the
//     old version is the newest, to the name of the new version.
//   - Version 0 has no pointer. Its successor is a folder, prepared with file
//     and pointer in it, that is renamed to the name of the life's folder.
//     rename(2) refuses to replace a folder that is not empty, and this one
//     never is empty again.
//   - A delete unlinks K, which ends the life. A swap under way then succeeds
//     or fails, but never touches the next life.
//
// Why it is right: a name with a nonce occurs only once. So the pointer has the
// name of the old version only until the first rename, and never again: of all
// processes that swap one version, exactly one finds it. All others fail, even
// a day later; neither order nor clock matters. For the same reason anybody may
// remove older versions at any time. The last 16 stay a little longer, for
// readers that have just found them; of large ones, one.
//
// All this needs files that keep their inode number, and their time to the
// microsecond or better. File systems with hard links do, with the exception of
// some FUSE ones. On NFS, a reader may see a blob as it was up to a minute ago
// (nfs(5), attribute caching), and so may a swap that finds the pointer gone;
// neither makes a swap succeed wrongly. Also on NFS, a reply may be lost and
// the request sent again; a process that then finds its link or rename already
// done counts it as its own.
//
// What was tried and is wrong: publishing version n+1 by link(2) and removing
// old versions. Once a name is removed, a latecomer can take it again, and no
// look at the neighbours tells the latecomer from a process that was first and
// slow.
//
// # What survives
//
// A killed process leaves no part of a blob, at most an unnamed or temporary
// file; the next process that opens the root removes those older than a day. A
// loss of power is different: only a put with Durable waits for fsync(2) of the
// file and of the folders up to the root. After any other put, the newest blobs
// may be missing, empty or torn; fsync would triple the cost of a call. The
// records of mops carry a checksum: a torn one is a miss with a reason, never a
// wrong result.
//
// # Trust
//
// Keys cannot climb out of the root, but symbolic links in the root are
// followed: the owner of the root is trusted. Only regular files are read.
// Anything else in the place of a blob is an error that names it, and opening
// it never blocks.
//
// Files are created with mode 0444 and folders with 0777, both under the umask.
// If the group of the root's folder may write to it, that group may write to
// all folders below and read all files, whatever the umask: whatever is made
// there gets that group, and a folder gets the setgid bit if the root has it. A
// missing root is made under the umask; ~/.mops, the root that mops uses if
// none is given, for its owner alone. On file systems that ignore case, as on
// most Macs, keys that differ only in case are one blob. A blob cannot lie
// under another blob (a and a/b), as a file is not a folder.
package fileblob

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
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
// plain path, not a URI.
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
	// cannot link unnamed ones. The first put finds it out by trying.
	named atomic.Bool

	shared atomic.Pointer[team] // nil until the root is there
}

var _ driver.Decorator = (*store)(nil) // every ability

func open(ctx context.Context, dir string) (*store, error) {
	dir = filepath.Clean(dir)
	s := &store{dir: dir, prefix: strings.TrimSuffix(dir, "/") + "/"}
	s.named.Store(alwaysNamed)
	switch root, err := attributesAt(dir); {
	case isNotExist(err):
		return s, obstacle(dir)
	case err != nil:
		return nil, classify(&fs.PathError{Op: "stat", Path: dir, Err: err})
	case !root.mode.IsDir():
		return nil, invalid("%s is %s, and a root must be a folder: remove it, or choose another root", dir, openfile.Kind(root.mode))
	default:
		s.shared.Store(teamOf(root))
	}
	s.sweep(ctx)
	return s, nil
}

// Root is the canonical URI of the root.
func (s *store) Root() string { return uriOf(s.dir) }

// Close does nothing: a store holds nothing open.
func (s *store) Close() error { return nil }
