package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// fetcher brings content, wherever it is, to this machine.
type fetcher struct {
	*finder
	*places
	cache *localcache.Folder
	net   slots     // transfers from and to other machines
	seen  sightings // of blobs in stores
	now   func() time.Time
}

// slotsFor bounds transfers from and to a store.
func (f *fetcher) slotsFor(store *blob.Store) slots {
	if store.IsLocal() {
		return f.cpu
	}
	return f.net
}

// gone is the error for bytes that are no longer where they were stored; it
// says what to do. A removed blob is seldom the only one, so gone forgets all
// that was seen.
func (f *fetcher) gone(uri string, err error) error {
	f.seen.forget(f.now())
	return fmt.Errorf("source %s: the stored bytes are gone, expired or deleted; call the function that returned them, or that they are an input of, with mops.Refresh: %w", uri, err)
}

// corrupt is the error for bytes that are not what they should be; it says what
// to do. Content in a store of mops may be deleted; content elsewhere may be the
// user's newer version.
func (o *object) corrupt(uri string, got string) error {
	want, mend := "SHA-256 "+o.sum.String(), "delete it and call again with mops.Refresh, so that it is stored anew"
	if o.uri != "" {
		mend = "it was changed since, or damaged; call again with mops.Refresh"
	}
	if o.size != unknownSize {
		want = fmt.Sprintf("%d bytes with %s", o.size, want)
	}
	return &blob.Error{Op: "read", URI: uri, Kind: blob.Corrupt, Err: fmt.Errorf(
		"the content is not what was stored: %s instead of %s; %s", got, want, mend)}
}

// localFile is a file of this machine that holds the object: the user's own,
// the store's own, or a copy in the cache. All but the user's own are verified,
// once for each state of the file.
func (f *fetcher) localFile(ctx context.Context, o *object) (string, error) {
	switch {
	case o.path != "":
		return o.path, nil
	case o.data != nil:
		return f.dumped(ctx, o)
	}
	at, err := f.placeOfObject(ctx, o)
	switch {
	case err != nil:
		return "", err
	case at.path != "":
		return at.path, f.verified(ctx, at.path, o, o.uri, false)
	case at.store == nil:
		return "", errors.New("source: nothing says where its bytes are: it was decoded, but not bound to the record that it came from")
	case !at.store.IsLocal():
		return f.downloaded(ctx, at, o)
	}
	uri := at.store.URI(at.key)
	path, _, err := at.store.LocalPath(ctx, at.key)
	if blob.Is(err, blob.NotFound) {
		return "", f.gone(uri, err)
	}
	if err != nil {
		return "", err
	}
	if err = f.verified(ctx, path, o, uri, ours(at.key)); blob.Is(err, blob.Corrupt) {
		f.setDamaged(ctx, at)
	}
	return path, err
}

// mostOpens is how often openLocal tries to open a file that others remove: a
// sweep of a cache that is far too small may be faster many times.
const mostOpens = 64

func (f *fetcher) openLocal(ctx context.Context, o *object) (*os.File, error) {
	for tries := 1; ; tries++ { // it may be removed from the cache, or replaced in the store, in between
		path, err := f.localFile(ctx, o)
		if err != nil {
			return nil, err
		}
		file, err := openfile.Regular(path)
		switch {
		case err == nil:
			return file, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, filehash.Readable(path, err)
		case tries == mostOpens:
			return nil, f.gone(o.where(), err)
		}
	}
}

// verified makes sure that a file holds the object.
func (f *fetcher) verified(ctx context.Context, path string, o *object, uri string, trusted bool) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.gone(uri, err)
	}
	if err != nil {
		return fmt.Errorf("source %s: %w", uri, err)
	}
	if o.size != unknownSize && info.Size() != o.size {
		return o.corrupt(uri, fmt.Sprintf("%d bytes", info.Size()))
	}
	done, err := f.turns.take(ctx, "hash "+path)
	if err != nil {
		return err
	}
	defer done()
	found, err := f.hashFile(ctx, path, trusted)
	if err != nil {
		return err
	}
	if found.sum != o.sum {
		return o.corrupt(uri, "SHA-256 "+found.sum.String())
	}
	return nil
}

// setDamaged remembers that a blob is damaged, so that the next Upload replaces
// it.
func (f *fetcher) setDamaged(ctx context.Context, at place) {
	info, err := at.store.Stat(ctx, at.key)
	if err != nil {
		return
	}
	f.seen.forget(f.now())
	f.seen.damage(blobName(at.store, at.key), info.Version)
}

// stream reads an object from a store and verifies it: it hands out the last
// bytes only if all are right. See twice.
func (f *fetcher) stream(ctx context.Context, at place, o *object) (*stream, error) {
	if at.store == nil {
		return nil, errors.New("source: nothing says where its bytes are: it was decoded, but not bound to the record that it came from")
	}
	body, info, err := f.get(ctx, at, o, blob.Range{})
	if err != nil {
		return nil, err
	}
	return &stream{body: body, uri: at.store.URI(at.key), object: o, size: info.Size, left: info.Size, hash: sha256.New()}, nil
}

// get opens the blob of an object, or a part of it. It fails if the blob is
// gone, or has another size.
func (f *fetcher) get(ctx context.Context, at place, o *object, part blob.Range) (io.ReadCloser, blob.Info, error) {
	body, info, err := at.store.Get(ctx, at.key, part)
	switch {
	case blob.Is(err, blob.NotFound):
		return nil, info, f.gone(at.store.URI(at.key), err)
	case err != nil:
		return nil, info, err
	case o.size != unknownSize && info.Size != o.size:
		body.Close()
		return nil, info, o.corrupt(at.store.URI(at.key), fmt.Sprintf("%d bytes", info.Size))
	}
	return body, info, nil
}

type stream struct {
	body   io.ReadCloser
	uri    string
	object *object
	size   int64
	left   int64
	hash   hash.Hash
	err    error // what was wrong with the bytes
}

func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.left == 0 && s.size > 0 {
		return 0, io.EOF
	}
	n, err := s.body.Read(p[:min(int64(len(p)), s.left)])
	s.hash.Write(p[:n])
	s.left -= int64(n)
	if s.left == 0 {
		if sum := Hash(s.hash.Sum(nil)); sum != s.object.sum {
			s.err = s.object.corrupt(s.uri, "SHA-256 "+sum.String())
			return 0, s.err
		}
		return n, io.EOF
	}
	if blob.Is(err, blob.Corrupt) {
		err = s.object.corrupt(s.uri, "bytes that do not match the store's own checksum")
	}
	if err == io.EOF {
		err = fmt.Errorf("source %s: %w, %d bytes short", s.uri, io.ErrUnexpectedEOF, s.left)
	}
	if err != nil {
		s.err = err
	}
	return n, err
}

func (s *stream) Close() error { return s.body.Close() }
