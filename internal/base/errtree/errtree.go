// Package errtree looks into errors that others made. What they wrap is a graph
// and need not be a tree: an error may lead back to itself, by way of a cause
// that was set later, or by way of many paths to few errors. Package errors
// follows such a graph for ever, and calls methods that may panic. Here each
// error is looked at once, of so many at most, and a method that panics has
// said nothing.
//
// Errors come in from a user's function, from the cause of a context, from an
// executor and from a driver. At these gates they pass through [Tame], so that
// behind them, and in the user's hands again, package errors is safe.
package errtree

import (
	"fmt"
	"iter"
	"reflect"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// most is how many errors are looked at: more than anybody joins, and an end
// for an Unwrap that makes a new error each time.
const most = 100_000

// All yields err and all that it wraps, in the order of errors.Is.
func All(err error) iter.Seq[error] {
	return func(yield func(error) bool) {
		w := walk{yield: yield}
		w.from(err)
	}
}

// Is is errors.Is.
func Is(err, target error) bool {
	if err == nil || target == nil {
		return err == target
	}
	for e := range All(err) {
		if same(e, target) {
			return true
		}
	}
	return false
}

// AsType is errors.AsType. It finds no pointer that is nil: nothing can be done with it.
func AsType[T error](err error) (found T, ok bool) {
	value, ok := As(err, reflect.TypeFor[T]())
	if ok {
		found = value.Interface().(T)
	}
	return found, ok
}

// As is errors.As, and returns what it found; ok is false if that is nothing, or
// a nil pointer.
func As(err error, typ reflect.Type) (found reflect.Value, ok bool) {
	for e := range All(err) {
		if found, ok = asValue(e, typ); ok {
			return found, true
		}
	}
	return reflect.Value{}, false
}

// mostPrinted bounds the text of an error on standard error, in bytes: somebody
// is to read it, and an error may hold all that a service answered.
const mostPrinted = 16 << 10

// Printable is the text of an error for standard error: bounded, and without control
// characters.
func Printable(err error) string { return text.CleanLines(Text(err, mostPrinted)) }

// Text is the error's message, or what is to be known where its method panics.
// Of one with more bytes than limit the middle is left out.
func Text(err error, limit int) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("an error of type %T whose methods panic: %v (a nil pointer in an error is not nil: return nil itself)", err, p)
		}
	}()
	text = err.Error()
	if len(text) <= limit {
		return text
	}
	head, tail := text[:limit/4*3], text[len(text)-limit/4:]
	return strings.ToValidUTF8(fmt.Sprintf("%s … (%d bytes are left out) … %s", head, len(text)-len(head)-len(tail), tail), "")
}

type walk struct {
	yield func(error) bool
	count int
	seen  map[place]bool
}

// place is which error it is. Errors that are no pointers are told apart by the
// bound alone.
type place struct {
	typ reflect.Type
	at  uintptr
}

// shallow is how many errors are looked at before those seen are remembered:
// most have fewer.
const shallow = 16

// from reports whether to go on.
func (w *walk) from(err error) bool {
	for err != nil {
		if w.count++; w.count > most || w.again(err) {
			return true
		}
		if !w.yield(err) {
			return false
		}
		many, one := unwrap(err)
		for _, inner := range many {
			if w.count > most {
				return true
			}
			if !w.from(inner) {
				return false
			}
		}
		err = one
	}
	return true
}

func (w *walk) again(err error) bool {
	v := reflect.ValueOf(err)
	if w.count <= shallow || v.Kind() != reflect.Pointer {
		return false
	}
	at := place{v.Type(), v.Pointer()}
	if w.seen[at] {
		return true
	}
	if w.seen == nil {
		w.seen = map[place]bool{}
	}
	w.seen[at] = true
	return false
}

// silenced ends a panic of a method.
func silenced() { _ = recover() }

func unwrap(err error) (many []error, one error) {
	defer silenced()
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		one = e.Unwrap()
	case interface{ Unwrap() []error }:
		many = e.Unwrap()
	}
	return many, one
}

func same(err, target error) (is bool) {
	defer silenced()
	if reflect.TypeOf(target).Comparable() && err == target {
		return true
	}
	e, ok := err.(interface{ Is(error) bool })
	return ok && e.Is(target)
}

func asValue(err error, typ reflect.Type) (found reflect.Value, ok bool) {
	if reflect.TypeOf(err).AssignableTo(typ) && !isNil(err) {
		return reflect.ValueOf(err), true
	}
	defer func() {
		if recover() != nil {
			found, ok = reflect.Value{}, false
		}
	}()
	if e, can := err.(interface{ As(any) bool }); can {
		target := reflect.New(typ)
		ok = e.As(target.Interface()) && !isNil(target.Elem().Interface())
		return target.Elem(), ok
	}
	return reflect.Value{}, false
}

func isNil(v any) bool {
	at := reflect.ValueOf(v)
	return !at.IsValid() || at.Kind() == reflect.Pointer && at.IsNil()
}
