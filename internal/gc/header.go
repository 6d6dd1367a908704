package gc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// A header is read without the body behind it, which may be big. Most records fit
// into the first of these, in bytes, and almost all headers into the second.
var readings = []int64{64 << 10, 16 << 20}

// sourcesOf reads what a record of a call names. Of a record that is longer than
// its beginning only the header is read: where that was damaged so that it names
// something else, the record is a miss to all programs, and nobody relies on what
// it named. So it is with one that is seen to be damaged. There is false where
// there is none.
func (r *run) sourcesOf(ctx context.Context, c *call, kind record.Kind) (sources []record.SourceLocation, there bool, err error) {
	var header struct {
		Sources []record.SourceLocation `json:"sources"`
	}
	for _, length := range readings {
		data, info, err := r.beginning(ctx, c.path+"/"+string(kind), length)
		if blob.Is(err, blob.NotFound) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		text, ok := record.Start(kind, data)
		if info.Size <= length {
			opened, err := record.Open(kind, data)
			text, ok = opened.Header, err == nil
		}
		if ok && info.Size > length { // nothing says that it came as it is, but that it comes so again
			again, now, err := r.beginning(ctx, c.path+"/"+string(kind), length)
			ok = err == nil && now.Version == info.Version && bytes.Equal(again, data)
		}
		if ok && json.Unmarshal(text, &header) == nil {
			return header.Sources, true, nil
		}
		if info.Size <= length {
			break
		}
	}
	// By the rules for records, which cost a second reading.
	place, read := c.place(r.store), memo.Place.Result
	if kind == record.KindInvocation {
		read = memo.Place.Invocation
	}
	found, err := read(place, ctx)
	_, foreign := errors.AsType[*record.ForeignError](err)
	switch {
	case err == nil, foreign: // one that was copied here names something all the same
		err = found.Into(&header)
	case blob.Is(err, blob.NotFound):
		return nil, false, nil
	case errors.Is(err, record.ErrDamaged):
		err = nil
	}
	return header.Sources, true, err
}

// beginning reads at most so many bytes of a blob.
func (r *run) beginning(ctx context.Context, key string, length int64) (data []byte, info blob.Info, err error) {
	const tries = 4 // of bodies that break off, which nobody below tries again
	for range tries {
		var body io.ReadCloser
		if body, info, err = r.store.Get(ctx, key, blob.Range{Length: length}); err != nil {
			return nil, info, err
		}
		data = make([]byte, min(length, info.Size)) // in one piece, as that may be 16 MiB
		_, err = io.ReadFull(body, data)
		body.Close()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return data, info, err
}
