package worker

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Inject puts an output computed elsewhere as the result of the task's call,
// its files first. Nothing runs. If there is already a sound result, other than
// the one to replace, Inject leaves it and returns it.
func (t Task) Inject(ctx context.Context, out any) (other memo.Found, won bool, err error) {
	ran := begin(t.Assignment)
	ran.Outcome = runs.Injected
	ran.Started = ran.Started.UTC()
	ran.Ended = ran.Started
	header := record.ResultHeader{RunHeader: t.header(ran), Injected: true}
	header.Origin = record.Origin{} // of no code: it stays until somebody refreshes it
	refs, err := t.Function.OutRefs(ctx, out)
	if err != nil {
		return memo.Found{}, false, fmt.Errorf("the output cannot be encoded: %w", err)
	}
	if len(refs) > 0 {
		if header.Sources, err = t.publish(ctx, &Running{}, refs); err != nil {
			return memo.Found{}, false, fmt.Errorf("the files of the output: %w", err)
		}
	}
	body, err := t.Function.EncodeOut(ctx, out)
	if err != nil {
		return memo.Found{}, false, fmt.Errorf("the output cannot be encoded: %w", err)
	}
	sealed, err := record.Seal(record.KindResult, header, body)
	if err != nil {
		return memo.Found{}, false, err
	}
	other, won, err = t.Place.PutResult(ctx, sealed, t.Replace, true)
	return other, won || err == nil && other.RunID == t.RunID, err // a put may succeed and seem to fail
}
