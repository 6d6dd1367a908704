// Package explain says why a call has no result: which calls of the same
// function come closest to it, and in what they differ. It reads what other
// calls left in the store and never writes. The orchestrator explains a miss
// with it, and the command line tool answers "why".
package explain

import (
	"context"
	"encoding/json"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// Call is all that a memo key is made of, so that two calls can be compared.
type Call struct {
	record.Call
	Schema   *schema.Types // what the fingerprints leave out; nil where the record does not say
	Types    *schema.Types // whole; nil where the record does not say
	HasInput bool          // false for a result that was put there without an invocation
	Input    any           // decoded, see package dynamic; as far as it could be
}

// New makes a Call of a canonical input. types are the whole types as invocations
// have them.
func New(ctx context.Context, head record.Head, call record.Call, types json.RawMessage, input []byte) Call {
	value, _ := dynamic.Decode(ctx, input) // what is damaged shows in the value
	c := Call{Call: call, Schema: parsed(head.Schema), Types: parsed(types), HasInput: true, Input: value}
	if c.Types != nil {
		c.Input = dynamic.Typed(value, c.Types.In)
	}
	return c
}

// parsed is what a header says; what cannot be read is not compared.
func parsed(text json.RawMessage) *schema.Types {
	types, err := schema.Parse(text)
	if err != nil {
		return nil
	}
	return &types
}

// Read reads a call from its records: from the invocation, or where there is
// none from the header of the result, which does not have the input. The error
// is blob.NotFound where there is neither.
func Read(ctx context.Context, place memo.Place) (Call, error) {
	invocation, err := place.Invocation(ctx)
	if err == nil {
		var header record.InvocationHeader
		if err := invocation.Into(&header); err != nil {
			return Call{}, err
		}
		return New(ctx, header.Head, header.Call, header.Types, invocation.Body), nil
	}
	if !blob.Is(err, blob.NotFound) {
		return Call{}, err
	}
	result, err := place.Result(ctx)
	if err != nil {
		return Call{}, err
	}
	var header record.ResultHeader
	if err := result.Into(&header); err != nil {
		return Call{}, err
	}
	return Call{Call: header.Call, Schema: parsed(header.Schema)}, nil
}
