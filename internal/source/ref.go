package source

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/filehash"
)

// Ref is one file, folder or value. It is safe for concurrent use.
type Ref struct {
	path string // on this machine, absolute; "" where it is not one of its files
	uri  string // At: where it is; FileAt: where it is to go
	want Kind   // "" where either will do
	bad  error  // what is wrong with the arguments that it was made of

	mu      sync.Mutex
	files   *Files   // of the environment that knows it
	content *content // nil until hashed or decoded; replaced, never changed
}

// content is what a Ref was found to be at one moment.
type content struct {
	id      Identity
	file    object    // the bytes; of a folder: of its manifest
	folder  *manifest // of a folder whose manifest was made or read here
	objects []object  // of the folder's files, in the manifest's order
}

// object is one file's bytes: what they are, and one place to have them from.
type object struct {
	sum  Hash
	size int64 // or unknownSize

	path  string         // a file on this machine that is not ours
	stamp filehash.Stamp // of that file when it was hashed; zero where it was not
	racy  bool           // see filehash.File

	data  []byte   // in memory
	value *encoded // in memory, made when it is needed

	store *blob.Store // under key
	key   string

	uri string // an explicit place, opened when needed
}

const unknownSize = -1

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

// Identity is what the content was found to be; ok is false before it was hashed.
func (r *Ref) Identity() (id Identity, ok bool) {
	if c := r.snapshot(); c != nil {
		return c.id, true
	}
	return Identity{}, false
}

// Hash is the SHA-256 of the content, of a folder that of its manifest; zero
// before it was hashed.
func (r *Ref) Hash() Hash {
	id, _ := r.Identity()
	return id.Hash
}

// Size is the length in bytes, of a folder that of all its files together; -1
// before it was hashed.
func (r *Ref) Size() int64 {
	if id, ok := r.Identity(); ok {
		return id.Size
	}
	return unknownSize
}

// URI is where the bytes are, as far as this process knows, for people and for
// programs that are no part of mops; "" where it does not know.
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

// Attach tells a source in which environment it is used, so that it can be
// opened before it was part of a call. One that is attached stays so.
func (r *Ref) Attach(f *Files) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files = f
	}
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
