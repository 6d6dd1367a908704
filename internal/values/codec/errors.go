package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// TypeError says why a type cannot be encoded faithfully.
type TypeError struct {
	Type   reflect.Type // the refused type
	Path   string       // where it is, such as In.Model.Layers[].hook
	Reason string       // why
	Mend   string       // what to do instead

	unregistered bool
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("%s (%s): %s; %s", e.Path, e.Type, e.Reason, e.Mend)
}

// IsUnregistered reports whether a type was refused only because no type is
// registered (yet) for one of its interfaces.
func IsUnregistered(err error) bool {
	e, ok := errors.AsType[*TypeError](err)
	return ok && e.unregistered
}

// ValueError says why a value could not be encoded or decoded.
type ValueError struct {
	Path string // where it is, such as In.Layers[3].Weights
	Err  error
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

func (e *ValueError) Unwrap() error { return e.Err }

// pathError gathers the steps of a path, innermost first, while the walk
// unwinds.
type pathError struct {
	steps []string
	err   error
}

func (e *pathError) Error() string { return e.err.Error() }

// at adds a step to the path of an error.
func at(err error, step string) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*pathError); ok {
		e.steps = append(e.steps, step)
		return e
	}
	return &pathError{steps: []string{step}, err: err}
}

// Longer paths lose their middle: a value that contains itself has a path of
// thousands of steps.
const (
	pathHead = 8
	pathTail = 3
)

// valueError ends the gathering: root is the name of the whole value.
func valueError(root string, err error) error {
	var steps []string
	if e, ok := err.(*pathError); ok {
		steps, err = e.steps, e.err
	}
	var path strings.Builder
	path.WriteString(root)
	for i := len(steps) - 1; i >= 0; i-- {
		if done := len(steps) - 1 - i; done == pathHead && i >= pathTail {
			path.WriteString("…")
			i = pathTail
			continue
		}
		path.WriteString(steps[i])
	}
	if inner, ok := err.(*ValueError); ok { // of a value that is encoded apart
		return &ValueError{Path: path.String() + inner.Path, Err: inner.Err}
	}
	return &ValueError{Path: path.String(), Err: err}
}
