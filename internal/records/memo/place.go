// Package memo reads and writes the records of one call in its folder of the
// blob store: result, invocation, error, runs. It knows the rules for records
// that are found where one was to be written; when to read or write which is
// up to orchestrate and worker above it.
package memo

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Place is where the records of one call lie.
type Place struct {
	Store *blob.Store
	Path  string      // memo path, below the root of the store
	Key   memokey.Key // that the records must name
}

// URI is the memo URI of the call; without a store, only its path.
func (p Place) URI() string {
	if p.Store == nil {
		return p.Path
	}
	return p.Store.URI(p.Path)
}

// NameIn is what records in a store name the call by: its path if it is in the same
// root, which may be mounted elsewhere later; else its URI.
func (p Place) NameIn(store *blob.Store) string {
	if store == p.Store || store != nil && p.Store != nil && store.Identity() == p.Store.Identity() {
		return p.Path
	}
	return p.URI()
}

// hash is the memo key as records have it: the last part of the path.
func (p Place) hash() string { return p.Path[len(p.Path)-hex.EncodedLen(len(p.Key)):] }

// The blobs of a call.
func (p Place) result() string     { return p.Path + "/result" }
func (p Place) invocation() string { return p.Path + "/invocation" }
func (p Place) failure() string    { return p.Path + "/error" }

// Lease is the key of the call's lease.
func (p Place) Lease() string { return p.Path + "/lease" }

// Run is the key of the record of a run that left no result.
func (p Place) Run(runID string) string { return p.Path + "/runs/" + runID + ".json" }

// Log is the folder of the chunks of what a run printed.
func (p Place) Log(runID string) string { return p.Path + "/runs/" + runID + ".log" }

// Usage is the key of the samples of what a run used.
func (p Place) Usage(runID string) string { return p.Path + "/runs/" + runID + ".usage" }

// Found is a record as it lies in the store.
type Found struct {
	record.Record
	RunID string
	Info  blob.Info
	Own   []*source.Ref // the sources in it as the function returned them, where nothing was stored
}

// Result reads the result from the store. The error says blob.NotFound where
// there is none; it is record.ErrDamaged, with Found.Info set, where it may be
// replaced.
func (p Place) Result(ctx context.Context) (Found, error) {
	return p.read(blob.Fresh(ctx), p.result(), record.KindResult)
}

// ResultMaybeCached is Result for those who may get what this machine has read
// before: a sound result never changes, but when it is refreshed or deleted.
func (p Place) ResultMaybeCached(ctx context.Context) (Found, error) {
	return p.read(ctx, p.result(), record.KindResult)
}

// ResultInto is ResultMaybeCached into room; see record.FetchInto.
func (p Place) ResultInto(ctx context.Context, room *[]byte) (Found, error) {
	return p.readInto(ctx, room, p.result(), record.KindResult)
}

// CachedResult is what this machine has read before, if anything: it asks
// nothing of the store.
func (p Place) CachedResult() (Found, bool) {
	data, info, ok := p.Store.ReadCached(p.result())
	if !ok {
		return Found{}, false
	}
	result, err := record.OpenChecked(record.KindResult, data) // by its entry, which holds sound results only
	if err != nil {
		return Found{}, false
	}
	found, err := p.checked(result, info)
	return found, err == nil
}

// Invocation reads the invocation; see Result for errors.
func (p Place) Invocation(ctx context.Context) (Found, error) {
	return p.read(ctx, p.invocation(), record.KindInvocation)
}

// Error reads the error of the latest failed run; see Result for errors.
func (p Place) Error(ctx context.Context) (Found, error) {
	return p.read(ctx, p.failure(), record.KindError)
}

func (p Place) read(ctx context.Context, key string, kind record.Kind) (Found, error) {
	var room []byte
	return p.readInto(ctx, &room, key, kind)
}

func (p Place) readInto(ctx context.Context, room *[]byte, key string, kind record.Kind) (Found, error) {
	fetched, err := record.FetchInto(ctx, room, p.Store, key, kind)
	if err != nil {
		if fetched.Info.Version != "" { // it is not the store's
			err = fmt.Errorf("%s: %w", p.Store.URI(key), err)
		}
		return Found{Info: fetched.Info}, err
	}
	return p.checked(fetched.Record, fetched.Info)
}

// checked is a record that names this call.
func (p Place) checked(r record.Record, info blob.Info) (found Found, err error) {
	found.Record, found.Info = r, info
	if found.RunID, err = record.Check(r.Header, p.hash()); err != nil {
		return found, fmt.Errorf("%s: %w", p.Store.URI(info.Key), err)
	}
	return found, nil
}

// PutResult writes a sealed result, unless there is a sound one already: then
// that one is returned and won is false. With replace it is written over
// exactly that version instead. A damaged result is always replaced.
func (p Place) PutResult(ctx context.Context, sealed []byte, replace blob.Version, durable bool) (other Found, won bool, err error) {
	options := blob.PutOptions{IfAbsent: replace == "", IfVersion: replace, Durable: durable}
	for range mostTries {
		_, err := p.Store.PutBytes(ctx, p.result(), sealed, options)
		if err == nil {
			return Found{}, true, nil
		}
		if !blob.Is(err, blob.Exists) && !blob.Is(err, blob.Mismatch) {
			return Found{}, false, err
		}
		other, err := p.Result(ctx)
		switch {
		case err == nil:
			return other, false, nil
		case errors.Is(err, record.ErrDamaged):
			options.IfAbsent, options.IfVersion = false, other.Info.Version
		case blob.Is(err, blob.NotFound):
			options.IfAbsent, options.IfVersion = true, ""
		default:
			return Found{}, false, err
		}
	}
	return Found{}, false, p.contradiction(p.result())
}

// mostTries is how often a record is put whose place is taken, and then again
// free, or damaged: once, where others put or remove one at that moment.
const mostTries = 16

func (p Place) contradiction(key string) error {
	return &blob.Error{Op: "put", URI: p.Store.URI(key), Kind: blob.Unavailable, Err: fmt.Errorf(
		"the store refuses to write it for what is there, and shows another to who reads it, %d times: something in between answers in its place, "+
			"or it is not fit for use; mops doctor %s looks into it", mostTries, p.Store.Root())}
}

// PutInvocation writes the invocation where there is no sound one that says of
// all files in the input where they are now: those that an earlier one names
// may be gone. In a store with a time to live, which is 0 where it has none, one
// that is old is written again: a worker may start long after this.
func (p Place) PutInvocation(ctx context.Context, header record.InvocationHeader, input []byte, ttl time.Duration) error {
	sealed, err := record.Seal(record.KindInvocation, header, input)
	if err != nil {
		return err
	}
	options := blob.PutOptions{IfAbsent: true}
	for range mostTries {
		_, err := p.Store.PutBytes(ctx, p.invocation(), sealed, options)
		if !blob.Is(err, blob.Exists) && !blob.Is(err, blob.Mismatch) {
			return err
		}
		there, err := p.Invocation(ctx)
		var found record.InvocationHeader
		if err == nil {
			err = there.Into(&found)
		}
		switch {
		case err == nil && slices.EqualFunc(found.Sources, header.Sources, record.SourceLocation.SamePlace) && (ttl <= 0 || p.Store.Age(ctx, there.Info) <= source.RelyFor(ttl)):
			return nil
		case err == nil, errors.Is(err, record.ErrDamaged):
			options = blob.PutOptions{IfVersion: there.Info.Version}
		case blob.Is(err, blob.NotFound):
			options = blob.PutOptions{IfAbsent: true}
		default:
			return err
		}
	}
	return p.contradiction(p.invocation())
}

// PutError writes a sealed error over whatever error was there.
func (p Place) PutError(ctx context.Context, sealed []byte) error {
	_, err := p.Store.PutBytes(ctx, p.failure(), sealed, blob.PutOptions{})
	return err
}

// PutRun writes the record of a run that left no result, for people.
func (p Place) PutRun(ctx context.Context, header record.RunHeader) error {
	text, err := json.MarshalIndent(header, "", "  ")
	if err != nil {
		return fmt.Errorf("the record of run %s: %w", header.RunID, err)
	}
	if len(text) >= record.RunLimit {
		return fmt.Errorf("the record of run %s has %d bytes, more than the %d that it may have: record less with it", header.RunID, len(text), record.RunLimit)
	}
	_, err = p.Store.PutBytes(ctx, p.Run(header.RunID), append(text, '\n'), blob.PutOptions{})
	return err
}

// ReadRun reads the record of a run that left no result.
func (p Place) ReadRun(ctx context.Context, runID string) (record.RunHeader, error) {
	header, _, err := record.FetchRun(ctx, p.Store, p.Run(runID))
	if errors.Is(err, record.ErrDamaged) {
		err = fmt.Errorf("%s: %w", p.Store.URI(p.Run(runID)), err)
	}
	return header, err
}
