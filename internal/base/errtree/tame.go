package errtree

import (
	"errors"
	"reflect"
)

// Tame returns an error that package errors can look into: err itself, if that
// has an end and its methods do not panic, else one with its text in which
// errors.Is and errors.As find the same.
func Tame(err error) error {
	if err == nil || isTame(err) {
		return err
	}
	return &tamed{err: err, text: Text(err, mostText)}
}

// mostText is how long the text of a tamed error may be, in bytes.
const mostText = 64 << 10

// isTame goes every way to every error, as package errors does.
func isTame(err error) (tame bool) {
	defer func() {
		if recover() != nil {
			tame = false
		}
	}()
	_ = err.Error()
	left := most
	var visit func(err error) bool
	visit = func(err error) bool {
		for err != nil {
			if left--; left < 0 {
				return false
			}
			if e, ok := err.(interface{ Is(error) bool }); ok {
				e.Is(errProbe)
			}
			if e, ok := err.(interface{ As(any) bool }); ok {
				e.As(new(*probe))
			}
			switch e := err.(type) {
			case interface{ Unwrap() error }:
				err = e.Unwrap()
			case interface{ Unwrap() []error }:
				for _, inner := range e.Unwrap() {
					if !visit(inner) {
						return false
					}
				}
				return true
			default:
				return true
			}
		}
		return true
	}
	return visit(err)
}

// probe is an error that nobody else has.
type probe struct{ error }

var errProbe error = &probe{errors.New("probe")}

// tamed wraps an error without letting anybody follow it.
type tamed struct {
	err  error
	text string
}

func (t *tamed) Error() string        { return t.text }
func (t *tamed) Is(target error) bool { return Is(t.err, target) }

func (t *tamed) As(target any) bool {
	at := reflect.ValueOf(target)
	found, ok := As(t.err, at.Type().Elem())
	if ok {
		at.Elem().Set(found)
	}
	return ok
}
