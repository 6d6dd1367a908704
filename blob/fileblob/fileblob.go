// Package fileblob keeps blobs in a folder, on a local disk or on NFS, under
// URIs such as file:///data/mops, file://~/.mops or file://./results (relative to
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
//	lease                                              version 0
//	lease~/5a1-18bd5f1c2a9e3340/17-8c1f20d3a4b5e697          version 17
//	lease~/5a1-18bd5f1c2a9e3340/17-8c1f20d3a4b5e697.newest   the pointer to it
//	lease~/5a1-18bd5f1c2a9e3340/16-02d1e5f60718293a
//	…
//
// Each version beyond the first is a file with a number and a nonce, and the name
// of the one empty file that ends in .newest says which of them is the newest.
// They lie in a folder for the life of the blob: the identity (inode and
// modification time) of version 0. A blob that is deleted and written again has
// another life, so nothing left over from an earlier one counts, whoever left it
// and whenever. To be sure that identities do not recur, the nanoseconds of a
// file's time are turned back by a random part of a millisecond.
//
// Parts of keys that would collide with this or with what file systems put there
// themselves are percent-escaped in file names: those that end in ~, start with
// .mops-tmp or .nfs, contain %, or are lost+found.
//
// # Why conditional puts are safe
//
// A file is written completely under no name, or a temporary one, before it is
// published.
//
//   - Put if absent publishes by link(2), which fails when the name is taken,
//     atomically, on NFS too.
//   - A swap publishes its file under a name with a nonce, where nobody looks for
//     it, and then renames the pointer, from the name that it has while the old
//     version is the newest to the name of the new version. A name with a nonce
//     comes only once. So of all who swap one version exactly one finds the
//     pointer, and who comes late, be it by a day, does not. Neither order nor
//     clock matters, and so any file that is behind may be removed by anybody at any
//     time. The last 16 stay a little longer, for those who have just found them; of
//     large ones, one.
//   - Version 0 has no pointer. Its successor is a folder that was prepared with
//     file and pointer in it, and is renamed to the name of the life's folder:
//     rename(2) refuses to replace a folder that is not empty, and this one never
//     is again.
//   - Delete unlinks K, which ends the life. A swap that is under way then
//     succeeds or not, but never touches the next life.
//
// It takes files that keep their inode number and their time to the microsecond
// or better, which file systems with hard links do, with the exception of some of
// FUSE. On NFS, a reader may see a blob as it was up to a minute ago (nfs(5),
// attribute caching), as can a swap that finds the pointer gone; neither makes a
// swap succeed wrongly. There, too, a reply may be lost and the request be sent
// again; who then finds link or rename done already takes it for his own.
//
// What was tried and is wrong: publishing version n+1 by link(2) and removing old
// versions. A name that was removed can be taken again by one who comes late, and
// no look at the neighbours tells him from one who was first and slow.
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
// followed: whoever owns the root is trusted. Only regular files are read, and
// opening what else lies there waits for nobody: it is an error that names it.
//
// Files are created with mode 0444 and folders with 0777, both under the umask.
// Where the group of the root's folder may write to that, it may in all folders
// below it, and read all files, whatever the umask: what is made there gets that
// group, and a folder the setgid bit if the root has it. A root that does not
// exist is made under the umask; ~/.mops, the one that mops takes where none is
// said, for its owner alone. On file systems that ignore case, as
// on most Macs, keys that differ only in case are one blob. A blob cannot lie
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
	"github.com/TrilliantHealth/mops-go/internal/openfile"
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

// Close does nothing, as a store holds nothing open.
func (s *store) Close() error { return nil }
