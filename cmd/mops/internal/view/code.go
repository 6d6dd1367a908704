package view

import (
	"context"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Code says by which code a result or an error was computed.
type Code struct {
	Hash        string            `json:"hash,omitempty"` // "" where the function was not locked
	Func        string            `json:"func,omitempty"`
	Description *code.Fingerprint `json:"description,omitempty"`
	Problem     string            `json:"problem,omitempty"` // why there is no description
}

// madeBy is the code of a record; nil if the record says nothing of it.
func (v *Record) madeBy() *Code {
	var head record.Head
	switch record.Kind(v.Kind) {
	case record.KindResult, record.KindError:
		v.Into(&head)
	}
	if head.Origin == (record.Origin{}) {
		return nil
	}
	return &Code{Hash: head.Code, Func: head.Func}
}

// Describe reads which declarations the code of a record is, if the store says
// so. What is wrong with that is a Problem.
func (v *Record) Describe(ctx context.Context, store *blob.Store) {
	if v == nil || v.Code == nil || v.Code.Hash == "" {
		return
	}
	described, err := memo.Code(ctx, store, v.Code.Hash)
	switch {
	case blob.Is(err, blob.NotFound):
		v.Code.Problem = "the store does not say which declarations it stands for"
	case err != nil:
		v.Code.Problem = err.Error()
	default:
		v.Code.Description = described
	}
}

// Made is the record of a call that tells what computed it: the result, else the
// error of the last run.
func (v *Call) Made() *Record {
	if v.Result.sound() || v.Error == nil {
		return v.Result
	}
	return v.Error
}
