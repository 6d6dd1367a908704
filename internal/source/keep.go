package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/filehash"
	"github.com/TrilliantHealth/mops-go/internal/sweep"
	"golang.org/x/sync/errgroup"
)

// keep makes sure that store, with a time to live, holds an object, whole and
// young enough, and says under which key: where it lies already, or else under
// its hash.
func (f *Files) keep(ctx context.Context, store *blob.Store, o *object, ttl time.Duration) (key string, err error) {
	at, err := f.placeOfObject(ctx, o)
	if err != nil {
		return "", err
	}
	if at.store != nil && at.store.Identity() == store.Identity() && at.key != BlobKey(o.sum) {
		// Outside of what is swept: with no time to live said, it stays.
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
			// What was old, a sweep may be removing, whoever has written it over:
			// only when that is over, a look tells what is there.
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

// forEver is the age of what never is too old.
const forEver = time.Duration(1<<63 - 1)

// look says whether the blob under key holds the object and is not older than
// most. Version is empty where there is none. What was seen whole a while ago is
// not asked for again.
func (f *Files) look(ctx context.Context, store *blob.Store, key string, o *object, most time.Duration) (info blob.Info, sound bool, err error) {
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

func (f *Files) ask(ctx context.Context, store *blob.Store, key string, o *object, most time.Duration) (info blob.Info, sound bool, err error) {
	info, err = store.Stat(ctx, key)
	if blob.Is(err, blob.NotFound) {
		return blob.Info{}, false, nil
	}
	if err != nil {
		return info, false, err
	}
	if o.size != unknownSize && info.Size != o.size || f.isDamaged(blobName(store, key), info.Version) {
		return info, false, nil
	}
	if most != forEver && store.Age(ctx, info) > most {
		return info, false, nil
	}
	path, ok, err := store.LocalPath(ctx, key)
	if err != nil || !ok {
		return info, !ok, ignoreNotFound(err)
	}
	// Here a damaged blob costs no transfer to find. Its hash is known unless
	// another host stored it, and then its reader here needs it, too.
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

// put copies an object into a store.
func (f *Files) put(ctx context.Context, store *blob.Store, key string, o *object, opts blob.PutOptions) error {
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

// putFile copies a file of this machine into a store. Where its hash is not
// known yet, it is found out on the way.
func (f *Files) putFile(ctx context.Context, store *blob.Store, key string, o *object, opts blob.PutOptions) (Hash, filehash.Stamp, error) {
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
		// Perhaps it was only renamed, or written anew with the same content.
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
	if known && !o.racy && store.IsLocal() && opts.IfVersion == "" { // there is nothing that could be lost
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
// shares blocks where the file system can). The stamp answers for the content,
// but only after the blob is there: if the file changed, the blob goes again.
// Who sees it in between verifies it, as every reader does.
func (f *Files) putUnread(ctx context.Context, store *blob.Store, key string, file *os.File, path string, s filehash.Stamp, opts blob.PutOptions) error {
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

// putHashed reads the file and hashes what it hands to the store.
func (f *Files) putHashed(ctx context.Context, store *blob.Store, key string, file *os.File, o *object, s filehash.Stamp, opts blob.PutOptions) (Hash, error) {
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

// conditionFailed says that somebody else was faster.
func conditionFailed(err error) bool {
	return blob.Is(err, blob.Exists) || blob.Is(err, blob.Mismatch)
}

func storeError(source string, err error) error {
	return fmt.Errorf("source %s: it could not be stored: %w", source, err)
}

// trust remembers the hash of a blob that was just written, so that whoever
// reads it on this machine need not hash it again.
func (f *Files) trust(ctx context.Context, store *blob.Store, key string, sum Hash) {
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

// transfer copies an object from where it is into another store, or to another
// key, and makes sure of its content on the way.
func (f *Files) transfer(ctx context.Context, store *blob.Store, key string, o *object, opts blob.PutOptions) error {
	at, err := f.placeOfObject(ctx, o)
	if err != nil {
		return err
	}
	if at.path != "" || at.store.IsLocal() || f.cacheDir != "" {
		// From a file, it can be sent again when it fails half way.
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
func (f *Files) keepFolder(ctx context.Context, store *blob.Store, c *content, ttl time.Duration) (key string, err error) {
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
