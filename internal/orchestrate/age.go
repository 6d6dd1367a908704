package orchestrate

import (
	"context"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/record"
	"github.com/TrilliantHealth/mops-go/internal/source"
)

// aged says why a sound result is not to be relied on: it names files, and so
// long after it was put the store may remove them before they are opened. It is
// nil for one that is. Files were at most as old as RelyFor when the result was
// put, so they outlive it by that long. Where nothing may run, there is nothing
// better than what is there.
func (c Call) aged(ctx context.Context, found memo.Found, place memo.Place) (*miss, error) {
	if c.StorageTTL <= 0 || c.RequireResults {
		return nil, nil
	}
	age := place.Store.Age(ctx, found.Info)
	if age <= source.RelyFor(c.StorageTTL) {
		return nil, nil
	}
	var header record.ResultHeader
	if err := found.Into(&header); err != nil {
		return nil, err
	}
	if len(header.Sources) == 0 {
		return nil, nil
	}
	why := fmt.Sprintf("the result names files and is %v old, and the store removes what is %v old", age.Round(time.Second), c.StorageTTL)
	return &miss{why: why, info: found.Info, old: found, leaseID: header.Run.LeaseID, tooOld: true}, nil
}
