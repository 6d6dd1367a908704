package gc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// readings are how many bytes to read of a record to get its header without its
// body, which may be big. Most records fit into the first, almost all headers
// into the second.
var readings = []int64{64 << 10, 16 << 20}

// sourcesOf reads what a record of a call names; there is false if there is no
// such record. Of a longer record it reads only the header. If that was damaged
// so that it names something else, the record is a miss to all programs, and
// nobody relies on what it named. The same holds for a record that is seen to
// be damaged.
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
		if ok && info.Size > length { // no checksum covers this part, so read it twice
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
	// By the rules for records, at the cost of another reading.
	place, read := c.place(r.store), memo.Place.Result
	if kind == record.KindInvocation {
		read = memo.Place.Invocation
	}
	found, err := read(place, ctx)
	_, foreign := errors.AsType[*record.ForeignError](err)
	switch {
	case err == nil, foreign: // a record copied here names something all the same
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
	const tries = 4 // for bodies that break off: nobody below tries again
	for range tries {
		var body io.ReadCloser
		if body, info, err = r.store.Get(ctx, key, blob.Range{Length: length}); err != nil {
			return nil, info, err
		}
		data = make([]byte, min(length, info.Size)) // in one piece, as it may be 16 MiB
		_, err = io.ReadFull(body, data)
		body.Close()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return data, info, err
}
