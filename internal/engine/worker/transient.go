package worker

import (
	"errors"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// ErrTransient marks errors, by their method Is, that are no function's fault:
// a function that returns such an error has not failed for good.
var ErrTransient = errors.New("a failure that is not the function's")

// transient reports whether a function failed because of something below it.
func transient(err error) bool {
	if _, ok := errtree.AsType[*blob.Error](err); ok {
		return true
	}
	if _, ok := errtree.AsType[*executor.Error](err); ok {
		return true
	}
	return errtree.Is(err, ErrTransient) || errtree.Is(err, source.ErrCache)
}
