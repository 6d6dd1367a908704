package mops_test

import (
	"context"
	"errors"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

type badRow struct{ row string }

func (e *badRow) Error() string { return "bad row " + e.row }

// The common mistake of a nil pointer in an error is the function's failure,
// and not one of mops or of the worker.
func TestANilPointerInAnError(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		_, err := typedNil.Call(ctx, 1)
		if _, ok := errors.AsType[*mops.FuncError](err); !ok {
			t.Fatalf("got %T: %v", err, err)
		}
		mentions(t, err, "*mops_test.badRow", "return nil itself")
	})
}

var typedNil = mops.Define("test/typed-nil", func(context.Context, int) (int, error) {
	var row *badRow
	return 0, row
})
