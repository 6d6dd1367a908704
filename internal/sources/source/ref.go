package source

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// Ref is one file, folder or value. It is safe for concurrent use.
type Ref struct {
	path string // on this machine, absolute; "" for other sources
	uri  string // At: its place; FileAt: its target
	want Kind   // "" for either
	bad  error  // the error of its arguments, if they are wrong

	mu      sync.Mutex
	files   *Files   // of the environment that knows it
	content *content // nil until hashed or decoded; replaced, never changed
	from    From     // the zero value if it was not read from a result
}

// From is the call from whose result a source was read.
type From struct {
	Store *blob.Store // nil for one that this process knows by its address only
	Path  string      // memo path; without a Store, the memo URI
}

// content is the content of a Ref at one moment.
type content struct {
	id      Identity
	file    object    // the bytes; of a folder: of its manifest
	folder  *manifest // of a folder whose manifest was made or read here
	objects []object  // of the folder's files, in the manifest's order
}

// object is one file's bytes: their identity, and one place to get them from.
type object struct {
	sum  Hash
	size int64 // or unknownSize

	path  string         // a file on this machine that is not ours
	stamp filehash.Stamp // of that file when it was hashed; zero if it was not
	racy  bool           // see filehash.File

	data  []byte   // in memory
	value *encoded // in memory, made when it is needed

	store *blob.Store // with the key below
	key   string

	uri string // an explicit place, opened when needed
}

const unknownSize = -1

// fileContent is a file whose bytes are o.
func fileContent(o object) *content {
	return &content{id: Identity{Kind: KindFile, Hash: o.sum, Size: o.size}, file: o}
}

// File is a file on this machine. The path is made absolute at once.
func File(path string) *Ref { return local(path, KindFile) }

// Dir is a folder on this machine, with all that is in it. The path is made
// absolute at once.
func Dir(path string) *Ref { return local(path, KindDir) }

// FileAt is a file on this machine that goes to an explicit URI when a function
// returns it. As an argument it is the same as File.
func FileAt(path, uri string) *Ref {
	r := local(path, KindFile)
	if r.bad == nil {
		r.uri, r.bad = uri, checkURI(uri)
		if path, ok := filePath(uri); ok && r.bad == nil {
			to := local(path, KindFile)
			r.uri, r.bad = fileURI(to.path), to.bad
		}
	}
	return r
}

// At is a file at a URI. A file:// URI names a file or a folder on this
// machine, the same as File or Dir; any other scheme is read through the blob
// store that is registered for it.
func At(uri string) *Ref {
	if err := checkURI(uri); err != nil {
		return &Ref{uri: uri, bad: err}
	}
	if path, ok := filePath(uri); ok {
		return local(path, "")
	}
	return &Ref{uri: uri, want: KindFile}
}

func local(path string, want Kind) *Ref {
	if path == "" {
		return &Ref{bad: errors.New("source: the path is empty: name a file or a folder")}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return &Ref{bad: fmt.Errorf("source %s: %w", path, err)}
	}
	return &Ref{path: absolute, want: want}
}

// Identity is that of the content; ok is false before it was hashed.
func (r *Ref) Identity() (id Identity, ok bool) {
	if c := r.snapshot(); c != nil {
		return c.id, true
	}
	return Identity{}, false
}

// Hash is the SHA-256 of the content; for a folder, of its manifest. It is zero
// before the content was hashed.
func (r *Ref) Hash() Hash {
	id, _ := r.Identity()
	return id.Hash
}

// Size is the length in bytes; for a folder, of all its files together. It is
// -1 before the content was hashed.
func (r *Ref) Size() int64 {
	if id, ok := r.Identity(); ok {
		return id.Size
	}
	return unknownSize
}

// URI is the place of the bytes, as far as this process knows, for people and
// for programs that are no part of mops; else "".
func (r *Ref) URI() string {
	if r.path != "" {
		return fileURI(r.path)
	}
	if c := r.snapshot(); c != nil {
		if uri := c.file.where(); uri != "" {
			return uri
		}
	}
	return r.uri
}

// String names the source in messages.
func (r *Ref) String() string {
	if r.path != "" {
		return r.path
	}
	if uri := r.URI(); uri != "" {
		return uri
	}
	if id, ok := r.Identity(); ok {
		return "a " + id.String()
	}
	return "without a place"
}

// where is the object's place as a URI, or "".
func (o *object) where() string {
	switch {
	case o.uri != "":
		return o.uri
	case o.store != nil:
		return o.store.URI(o.key)
	case o.path != "":
		return fileURI(o.path)
	}
	return ""
}

// Attach tells a source which environment uses it, so that it can be opened
// before it was part of a call. The first environment stays.
func (r *Ref) Attach(f *Files) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files = f
	}
}

// From is the call from whose result the source was read, as far as that is known.
func (r *Ref) From() From {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.from
}

// ReadFrom notes the call from whose result the source was read.
func (r *Ref) ReadFrom(from From) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from = from
}

func (r *Ref) snapshot() *content {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.content
}

func (r *Ref) set(f *Files, c *content) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files, r.content = f, c
}
