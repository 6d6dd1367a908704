package record

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Limit is the size of the largest record of this kind, line 1 included, in
// bytes. Larger ones are neither written nor read: so a blob in the place of a
// record never takes more memory than the largest of its kind.
func (k Kind) Limit() int64 {
	switch k {
	case KindLease, KindPack, KindLedger:
		return 64 << 20 // of a lease: mops gc lists in it, for a while, the parts of the call that it removed
	case KindSession:
		return 1 << 20
	}
	return 1<<30 + 256<<20 // the largest value that codecs take (codec.MaxSize), and a header
}

// RunLimit is the size of the largest record of a run, in bytes.
const RunLimit = 64 << 20

// Fetched is a record as it lies in a store.
type Fetched struct {
	Record
	Data []byte    // as much of the blob as was read
	Info blob.Info // set with ErrDamaged and *FormatError, too, but with no other error
}

// patience is how often Fetch reads a blob that looks damaged in a new version
// each time.
const patience = 4

// Fetch reads a record from a store, and checks all of it against line 1. The
// error is the store's, which names the blob, or one that does not name it: a
// *FormatError for an intact record that is not ours to read, or ErrDamaged.
// ErrDamaged means that the blob looked damaged twice under one version, which
// is then in Info: after one bad transfer the next may be right. Line 1, the
// store's own checksum, or a size that no record of this kind has shows the
// damage.
func Fetch(ctx context.Context, store *blob.Store, key string, kind Kind) (Fetched, error) {
	var room []byte
	return FetchInto(ctx, &room, store, key, kind)
}

// FetchInto is Fetch into room, if that is large enough, and else leaves a larger one
// there: until it is used again, what was fetched lies in it.
func FetchInto(ctx context.Context, room *[]byte, store *blob.Store, key string, kind Kind) (Fetched, error) {
	var before blob.Version
	for try := 1; ; try++ {
		f, err := fetchOnce(ctx, room, store, key, kind)
		if err == nil || !errors.Is(err, ErrDamaged) {
			return f, err
		}
		if f.Info.Version == before {
			return f, err
		}
		if try == patience {
			return Fetched{}, fmt.Errorf("%s changes faster than it can be read: try again: %v", store.URI(key), err)
		}
		before = f.Info.Version
	}
}

func fetchOnce(ctx context.Context, room *[]byte, store *blob.Store, key string, kind Kind) (f Fetched, err error) {
	f.Data, f.Info, err = store.ReadUpTo(ctx, key, (*room)[:0], kind.Limit())
	switch {
	case err == nil:
		*room = f.Data
		f.Record, err = Open(kind, f.Data)
		return f, err
	case blob.Is(err, blob.TooLarge):
		f.Info, err = tooLarge(ctx, store, key, kind)
		return f, err
	case blob.Is(err, blob.Corrupt):
		noticed := err
		if f.Info.Version == "" { // nobody can replace the blob without its version
			if f.Info, err = store.Stat(ctx, key); err != nil {
				return Fetched{}, err
			}
		}
		return f, damaged(fmt.Sprintf("did not come as it was stored: %v", cmp.Or(errors.Unwrap(noticed), noticed)))
	}
	return Fetched{}, err
}

// FetchRun reads the record of a run, which is plain JSON without a line 1. The
// error is ErrDamaged, with Info and Data set, if two reads gave no such
// record.
func FetchRun(ctx context.Context, store *blob.Store, key string) (header RunHeader, f Fetched, err error) {
	for range 2 {
		header = RunHeader{}
		f.Data, f.Info, err = store.ReadUpTo(ctx, key, nil, RunLimit)
		if err != nil && !blob.Is(err, blob.TooLarge) && !blob.Is(err, blob.Corrupt) {
			return header, Fetched{}, err
		}
		if err == nil {
			err = json.Unmarshal(f.Data, &header)
		}
		if err == nil {
			return header, f, nil
		}
	}
	return header, f, fmt.Errorf("%w: it is not that of a run: %w", ErrDamaged, err)
}

// tooLarge tells a record that is larger than ours are, and of which only the
// first line is read, from something else in its place: line 1 has the length
// of the rest.
func tooLarge(ctx context.Context, store *blob.Store, key string, kind Kind) (blob.Info, error) {
	body, info, err := store.Get(ctx, key, blob.Range{Length: maxLine})
	if err != nil {
		return blob.Info{}, err
	}
	defer body.Close()
	begin, err := io.ReadAll(io.LimitReader(body, maxLine))
	if err != nil {
		return blob.Info{}, err
	}
	line, _, _ := bytes.Cut(begin, newline)
	format, foundKind, hash, length := words(line)
	switch {
	case len(hash) != hashLen || string(length) != strconv.FormatInt(info.Size-int64(len(line))-1, 10):
		err = damaged(fmt.Sprintf("has %d bytes, more than any %s, and does not match its first line", info.Size, kind))
	case string(format) != Format || string(foundKind) != string(kind):
		err = stranger(kind, string(format), string(foundKind))
	default:
		err = &FormatError{Want: kind, Format: Format, Kind: string(kind),
			Reason: fmt.Sprintf("it has %d bytes, and no more than %d are read of such a record", info.Size, kind.Limit())}
	}
	return info, err
}

// maxLine is longer than any first line.
const maxLine = 256
