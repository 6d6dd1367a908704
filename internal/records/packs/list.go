// Package packs is the store format of packs: lists of calls that a group of
// workers computes, one call after another, and what became of each. Package pack
// of the engine makes and works through them; gc removes what a kill left.
//
//	<root>/mops1-packs/<id>/list/1…              the calls, some hundred in a blob
//	<root>/mops1-packs/<id>/ledger/<worker>/1…   what a worker of the group says of them
//	<root>/mops1-packs/<id>/given-up             calls that nobody wants any more
//	<root>/mops1-packs/<id>/next/1…              the packs that its workers come to next
//
// Lists and ledgers are records, so that damage shows. What matters for good is
// in the records of each call; a pack is removed when its calls have ended.
package packs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Prefix is where packs lie below the root of a store.
const Prefix = "mops1-packs/"

// PartSize is how many calls lie in one blob of a list. A worker reads only the
// parts that it comes to, and a part compresses well since its calls are alike.
const PartSize = 500

// Call is a call in a list: what a worker of it has to know.
type Call struct {
	Function string `json:"function"` // name@version
	MemoURI  string `json:"memo_uri"`
	runs.ID
	Env []string `json:"env"` // variables of its worker process, "KEY=value"
}

// Pack is where a pack lies.
type Pack struct {
	Store *blob.Store
	ID    string
}

// URI names the pack, for people and for what is derived from it.
func (p Pack) URI() string { return p.Store.URI(p.folder()) }

func (p Pack) folder() string { return Prefix + p.ID }

// Shape is how many calls a list has, and which workers share it.
type Shape struct {
	Calls   int `json:"calls"`
	Workers int `json:"workers"`

	// Of a pack that its workers come to after others: the id of their first one, and
	// the executor's handle of the workers.
	First  string `json:"first,omitempty"`
	Handle string `json:"handle,omitempty"`
}

// parts is in how many blobs the calls lie.
func (s Shape) parts() int { return (s.Calls + PartSize - 1) / PartSize }

type partHeader struct {
	Pack string `json:"pack"`
	Part int    `json:"part"` // from 1
	Shape
}

// sideBySide is how many blobs of a pack are written or read at once.
const sideBySide = 8

// PutList writes the list. The shape's number of calls is the list's.
func (p Pack) PutList(ctx context.Context, calls []Call, shape Shape) error {
	shape.Calls = len(calls)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for part := range shape.parts() {
		group.Go(func() error {
			first := part * PartSize
			body, err := compressed(calls[first:min(first+PartSize, len(calls))])
			if err != nil {
				return err
			}
			data, err := record.Seal(record.KindPack, partHeader{Pack: p.ID, Part: part + 1, Shape: shape}, body)
			if err != nil {
				return err
			}
			_, err = p.Store.PutBytes(ctx, p.partKey(part), data, blob.PutOptions{})
			return err
		})
	}
	return group.Wait()
}

func (p Pack) partKey(part int) string { return fmt.Sprintf("%s/list/%06d", p.folder(), part+1) }

// Part reads the calls from number part*PartSize on, and the shape of the list.
func (p Pack) Part(ctx context.Context, part int) ([]Call, Shape, error) {
	key := p.partKey(part)
	found, err := record.Fetch(ctx, p.Store, key, record.KindPack)
	if err != nil {
		return nil, Shape{}, p.named(key, err)
	}
	var header partHeader
	if err := found.Into(&header); err != nil {
		return nil, Shape{}, p.named(key, err)
	}
	if header.Pack != p.ID || header.Part != part+1 {
		return nil, Shape{}, p.named(key, fmt.Errorf("%w: it is a copy of part %d of pack %s", record.ErrDamaged, header.Part, header.Pack))
	}
	var calls []Call
	if err := expand(found.Body, &calls); err != nil {
		return nil, Shape{}, p.named(key, &record.FormatError{Format: record.Format, Reason: err.Error()})
	}
	return calls, header.Shape, nil
}

// List reads the whole list.
func (p Pack) List(ctx context.Context) ([]Call, Shape, error) {
	calls, shape, err := p.Part(ctx, 0)
	if err != nil {
		return nil, shape, err
	}
	rest := make([][]Call, shape.parts())
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for part := 1; part < shape.parts(); part++ {
		group.Go(func() (err error) { rest[part], _, err = p.Part(ctx, part); return err })
	}
	if err := group.Wait(); err != nil {
		return nil, shape, err
	}
	for _, more := range rest {
		calls = append(calls, more...)
	}
	return calls, shape, nil
}

// named says in which blob an error is, unless it says so itself.
func (p Pack) named(key string, err error) error {
	if _, ok := errors.AsType[*blob.Error](err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", p.Store.URI(key), err)
}

// Remove removes all of the pack.
func (p Pack) Remove(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for info, err := range p.Store.List(ctx, p.folder()+"/", "") {
		if err != nil {
			return errors.Join(group.Wait(), err)
		}
		group.Go(func() error { return p.Store.Delete(ctx, info.Key) })
	}
	return group.Wait()
}

func compressed(v any) ([]byte, error) {
	var out bytes.Buffer
	packer := gzip.NewWriter(&out)
	if err := errors.Join(json.NewEncoder(packer).Encode(v), packer.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func expand(data []byte, v any) error {
	unpacker, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(unpacker, record.KindPack.Limit()))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
