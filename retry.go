package mops

import (
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
)

// Retries is how often mops tries a failed run again before the call fails; see
// [RetryDelay], [RetryIf] and [Final]. A worker of another program version is not
// tried again. Default: 0. With a negative value calls fail.
func Retries(n int) Option {
	return option(func(s *settings) { s.Retries = &n })
}

// DefaultRetryDelay is the pause that [RetryDelay] changes: 0.1 s.
const DefaultRetryDelay = config.DefaultRetryDelay

// RetryDelay is the longest pause before the first of [Retries]. It doubles each time,
// up to a hundredfold, and half of each pause is random, so that calls that failed
// together do not come back together. During a pause the call has no slot, and
// keeps its lease. Default: [DefaultRetryDelay]. With a negative value calls fail.
func RetryDelay(d time.Duration) Option {
	return option(func(s *settings) { s.RetryDelay = &d })
}

// RetryIf asks worth, in the calling process, whether a run that failed is to be one
// of [Retries]. It gets what the call would return: a *[FuncError] or an *[ExecError].
// If worth panics, the run is not tried again. Executors that try again by
// themselves, such as those of package k8s after a lost node, do not ask.
func RetryIf(worth func(failed error) bool) Option {
	return option(func(s *settings) { s.retryIf = worth })
}

// Final marks an error that a function returns as one that another try would return
// again: the call fails at once, whatever is left of its [Retries], and so do those
// of functions that return the error of that call. errors.Is finds [ErrFinal] in it,
// and in the *[FuncError] of the call. Final(nil) is nil.
func Final(err error) error {
	if err == nil {
		return nil
	}
	return final{err}
}

type final struct{ error }

func (f final) Unwrap() error { return f.error }

func (f final) Is(target error) bool { return target == orchestrate.ErrFinal }
