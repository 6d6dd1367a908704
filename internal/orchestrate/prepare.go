package orchestrate

import (
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/record"
	"github.com/TrilliantHealth/mops-go/internal/words"
)

func newRunID() string { return words.NewRunID(time.Now()) }

// prepare puts what the worker reads: first the files of the input, then the
// invocation that refers to them. A refresh takes nothing on trust.
func (o *owned) prepare() error {
	if o.key.refresh {
		o.engine.Files.Forget(o.asked)
	}
	if len(o.call.Sources) > 0 {
		locations, err := o.engine.Files.Upload(o.ctx, o.root.store, o.call.Sources, o.call.StorageTTL)
		if err != nil {
			return fmt.Errorf("the files for %s: %w", o.place.URI(), err)
		}
		o.sources = memo.Locations(locations)
	}
	header := record.InvocationHeader{
		Head: o.call.Function.Head(o.place.Key, o.state.RunID),
		Call: o.call.Function.Describe(o.call.Pipeline), LeaseID: o.state.LeaseID,
		Program: record.ThisProgram(), Sources: o.sources,
	}
	return o.place.PutInvocation(o.ctx, header, o.call.Input, o.call.StorageTTL)
}
