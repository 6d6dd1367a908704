package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
	"github.com/TrilliantHealth/mops-go/internal/sources/sweep"
	"golang.org/x/sync/errgroup"
)

// keeper makes stores hold content.
type keeper struct{ *fetcher }

// keep makes sure that store, with a time to live, holds an object, whole and
// young enough, and returns its key: the one that it has already, or else the
// one of its hash.
func (f *keeper) keep(ctx context.Context, store *blob.Store, o *object, ttl time.Duration) (key string, err error) {
	at, err := f.placeOfObject(ctx, o)
	if err != nil {
		return "", err
	}
	if at.store != nil && at.store.Identity() == store.Identity() && at.key != BlobKey(o.sum) {
		// mops does not sweep this key: without a time to live, the object stays.
		most := forEver
		if ttl > 0 {
			most = RelyFor(ttl)
		}
		if _, sound, err := f.look(ctx, store, at.key, o, most); err != nil || sound {
			return at.key, err
		}
	}
	key = BlobKey(o.sum)
	done, err := f.turns.take(ctx, "store "+blobName(store, key))
	if err != nil {
		return "", err
	}
	defer done()
	for range 4 { // others may put or replace it at the same moment
		info, sound, err := f.look(ctx, store, key, o, RelyFor(ttl))
		if err != nil || sound {
			return key, err
		}
		opts := blob.PutOptions{IfAbsent: true}
		if info.Version != "" {
			opts = blob.PutOptions{IfVersion: info.Version}
		}
		began := f.now()
		err = f.put(ctx, store, key, o, opts)
		switch {
		case err != nil && !conditionFailed(err):
			return key, err
		case opts.IfVersion != "":
			// A sweep may just be removing the old blob, whoever has written over it: only
			// after its end, a look tells what is there.
			if err := sweep.Wait(ctx, store); err != nil {
				return key, err
			}
		case err == nil:
			f.seen.add(blobName(store, key), began)
			return key, nil
		}
	}
	return "", fmt.Errorf("source %s: others keep replacing it in the store: call again", store.URI(key))
}

// forEver is an age that no blob exceeds.
const forEver = time.Duration(1<<63 - 1)

// look says whether the blob under key holds the object and is not older than
// most. info.Version is empty if there is no blob. It does not ask again about
// a blob that was seen whole a short while ago.
func (f *keeper) look(ctx context.Context, store *blob.Store, key string, o *object, most time.Duration) (info blob.Info, sound bool, err error) {
	name, began := blobName(store, key), f.now()
	if f.seen.recent(name, began, most) {
		return info, true, nil
	}
	info, sound, err = f.ask(ctx, store, key, o, most)
	if err == nil && sound {
		f.seen.add(name, began)
	}
	return info, sound, err
}

func (f *keeper) ask(ctx context.Context, store *blob.Store, key string, o *object, most time.Duration) (info blob.Info, sound bool, err error) {
	info, err = store.Stat(ctx, key)
	if blob.Is(err, blob.NotFound) {
		return blob.Info{}, false, nil
	}
	if err != nil {
		return info, false, err
	}
	if o.size != unknownSize && info.Size != o.size || f.seen.isDamaged(blobName(store, key), info.Version) {
		return info, false, nil
	}
	if most != forEver && store.Age(ctx, info) > most {
		return info, false, nil
	}
	path, ok, err := store.LocalPath(ctx, key)
	if err != nil || !ok {
		return info, !ok, ignoreNotFound(err)
	}
	// On this machine, finding a damaged blob costs no transfer. The blob's hash is
	// known, unless another host stored it; then its reader here needs the hash,
	// too.
	found, err := f.hashFile(ctx, path, ours(key))
	if ctx.Err() != nil {
		return info, false, ctx.Err()
	}
	return info, err == nil && found.sum == o.sum, nil
}

func ignoreNotFound(err error) error {
	if blob.Is(err, blob.NotFound) {
		return nil
	}
	return err
}

func (f *keeper) put(ctx context.Context, store *blob.Store, key string, o *object, opts blob.PutOptions) error {
	data, err := o.inMemory(ctx)
	switch {
	case err != nil:
		return err
	case data != nil:
		if _, err := store.PutBytes(ctx, key, data, opts); err != nil {
			return err
		}
		f.trust(ctx, store, key, o.sum)
		return nil
	case o.path != "":
		_, _, err := f.putFile(ctx, store, key, o, opts)
		return err
	}
	return f.transfer(ctx, store, key, o, opts)
}

// putFile copies a file of this machine into a store. If the file's hash is not
// known yet, putFile finds it on the way.
func (f *keeper) putFile(ctx context.Context, store *blob.Store, key string, o *object, opts blob.PutOptions) (Hash, filehash.Stamp, error) {
	file, err := filehash.OpenAgain(o.path)
	if err != nil {
		return Hash{}, filehash.Stamp{}, err
	}
	defer file.Close()
	now, err := filehash.FileStamp(file)
	if err != nil {
		return Hash{}, filehash.Stamp{}, filehash.Readable(o.path, err)
	}
	known := o.stamp != filehash.Stamp{}
	if known && now != o.stamp {
		// Perhaps the file was only renamed, or written again with the same content.
		again, err := f.hashFile(ctx, o.path, false)
		if err != nil {
			return Hash{}, filehash.Stamp{}, err
		}
		if again.sum != o.sum || again.stamp != now {
			return Hash{}, filehash.Stamp{}, filehash.Changed(o.path, o.stamp, now)
		}
		o = &again
	}
	ctx, done, err := f.slotsFor(store).take(ctx)
	if err != nil {
		return Hash{}, filehash.Stamp{}, err
	}
	defer done()
	sum := o.sum
	if known && !o.racy && store.IsLocal() && opts.IfVersion == "" { // there is nothing to lose
		err = f.putUnread(ctx, store, key, file, o.path, now, opts)
	} else {
		sum, err = f.putHashed(ctx, store, key, file, o, now, opts)
	}
	if err != nil {
		return Hash{}, filehash.Stamp{}, err
	}
	f.log.DebugContext(ctx, "stored", "source", o.path, "blob", store.URI(key), "bytes", now.Size)
	f.trust(ctx, store, key, sum)
	return sum, now, nil
}

// putUnread lets the kernel copy from file to file (copy_file_range(2), which
// shares blocks if the file system can). The stamp proves the content, but only
// after the blob is there: if the file changed, the blob is removed again. A
// reader that sees it in between verifies it, as every reader does.
func (f *keeper) putUnread(ctx context.Context, store *blob.Store, key string, file *os.File, path string, s filehash.Stamp, opts blob.PutOptions) error {
	info, err := store.Put(ctx, key, file, s.Size, opts)
	if conditionFailed(err) {
		return err
	}
	change := f.hashes.Unchanged(file, path, s)
	if err != nil {
		if change != nil {
			return change
		}
		return storeError(path, err)
	}
	if change != nil {
		ctx := context.WithoutCancel(ctx)
		if now, err := store.Stat(ctx, key); err == nil && now.Version == info.Version {
			return errors.Join(change, store.Delete(ctx, key))
		}
	}
	return change
}

// putHashed reads the file and hashes it while the store takes it.
func (f *keeper) putHashed(ctx context.Context, store *blob.Store, key string, file *os.File, o *object, s filehash.Stamp, opts blob.PutOptions) (Hash, error) {
	var want *filehash.Sum
	if o.stamp != (filehash.Stamp{}) {
		want = (*filehash.Sum)(&o.sum)
	}
	b := f.hashes.Body(file, o.path, s, want)
	defer b.End()
	_, err := store.Put(ctx, key, b, s.Size, opts)
	if b.Err != nil {
		return Hash{}, b.Err
	}
	if err != nil && !conditionFailed(err) {
		err = storeError(o.path, err)
	}
	return b.Sum, err
}

// conditionFailed reports whether somebody else was faster.
func conditionFailed(err error) bool {
	return blob.Is(err, blob.Exists) || blob.Is(err, blob.Mismatch)
}

func storeError(source string, err error) error {
	return fmt.Errorf("source %s: it could not be stored: %w", source, err)
}

// trust remembers the hash of a blob that was just written, so that readers on
// this machine need not hash it again.
func (f *keeper) trust(ctx context.Context, store *blob.Store, key string, sum Hash) {
	if !ours(key) {
		return
	}
	path, ok, err := store.LocalPath(ctx, key)
	if err != nil || !ok {
		return
	}
	if info, err := os.Stat(path); err == nil {
		f.hashes.Remember(filehash.StampOf(info), sum)
	}
}

// transfer copies an object from its place into another store, or to another
// key, and verifies its content on the way.
func (f *keeper) transfer(ctx context.Context, store *blob.Store, key string, o *object, opts blob.PutOptions) error {
	at, err := f.placeOfObject(ctx, o)
	if err != nil {
		return err
	}
	if at.path != "" || at.store.IsLocal() || f.cache.Dir != "" {
		// A file can be sent again after a failure half way.
		path, err := f.cache.Hold(ctx, func() (string, error) { return f.localFile(ctx, o) })
		if err != nil {
			return err
		}
		file, err := f.hashFile(ctx, path, at.store != nil && ours(at.key))
		if err == nil {
			_, _, err = f.putFile(ctx, store, key, &file, opts)
		}
		return err
	}
	ctx, done, err := f.net.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	err = f.twice(ctx, at, func() error {
		body, err := f.stream(ctx, at, o)
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = store.Put(ctx, key, body, body.size, opts)
		if body.err != nil {
			return body.err
		}
		if err != nil && !conditionFailed(err) {
			err = storeError(o.where(), err)
		}
		return err
	})
	if err != nil {
		return err
	}
	f.trust(ctx, store, key, o.sum)
	return nil
}

// keepFolder is keep for a folder: its files first, its manifest last.
func (f *keeper) keepFolder(ctx context.Context, store *blob.Store, c *content, ttl time.Duration) (key string, err error) {
	name := blobName(store, BlobKey(c.id.Hash)) + " with all files"
	done, err := f.turns.take(ctx, "folder "+name)
	if err != nil {
		return "", err
	}
	defer done()
	if f.seen.recent(name, f.now(), RelyFor(ttl)) {
		return BlobKey(c.id.Hash), nil
	}
	if c, err = f.unfold(ctx, c); err != nil {
		return "", err
	}
	began := f.now()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(2 * cap(f.slotsFor(store))) // most of it is questions; transfers have slots
	for i := range c.objects {
		group.Go(func() error {
			_, err := f.keep(groupCtx, store, &c.objects[i], ttl)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	if key, err = f.keep(ctx, store, &c.file, ttl); err == nil {
		f.seen.add(name, began)
	}
	return key, err
}
