package packs

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Workers come to one pack after another. Which one is next stands in the folder
// of their first: under numbers from 1, each of them put once. So the program
// that hands a pack over and workers that end agree on which came first.

type nextHeader struct {
	Pack   string `json:"pack"` // the first of the workers
	Number int    `json:"number"`
	Next   string `json:"next,omitempty"` // the id of a pack; none if the workers end
}

func (p Pack) nextKey(number int) string { return fmt.Sprintf("%s/next/%06d", p.folder(), number) }

// PutNext tells the workers of this pack, which is their first, what they do next:
// they work through the pack with the id, or, if that is "", they end. If that had
// been told before, the error is of kind [blob.Exists].
func (p Pack) PutNext(ctx context.Context, number int, id string) error {
	data, err := record.Seal(record.KindPack, nextHeader{Pack: p.ID, Number: number, Next: id}, nil)
	if err != nil {
		return err
	}
	_, err = p.Store.PutBytes(ctx, p.nextKey(number), data, blob.PutOptions{IfAbsent: true})
	return err
}

// Next reads what the workers do next; an id of "" says that they end. Found is
// false if nothing is known yet. What is damaged ends them: calls that nobody comes
// to go into other packs.
func (p Pack) Next(ctx context.Context, number int) (id string, found bool, err error) {
	key := p.nextKey(number)
	f, err := record.Fetch(ctx, p.Store, key, record.KindPack)
	switch {
	case blob.Is(err, blob.NotFound):
		return "", false, nil
	case errors.Is(err, record.ErrDamaged):
		return "", true, nil
	case err != nil:
		return "", false, p.named(key, err)
	}
	var header nextHeader
	if f.Into(&header) != nil || header.Pack != p.ID || header.Number != number {
		return "", true, nil
	}
	return header.Next, true, nil
}
