package errtree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
)

// The kind: errors of others that are no finite tree of well-behaved values.
// Each of these ends, and what is in it is found.

type link struct {
	text  string
	cause error
}

func (l *link) Error() string { return l.text }
func (l *link) Unwrap() error { return l.cause }

type many struct{ causes []error }

func (m *many) Error() string   { return "many" }
func (m *many) Unwrap() []error { return m.causes }

type valued struct{ _ *link } // a value, so that it is not known by where it lies

func (v valued) Error() string { return "valued" }
func (v valued) Unwrap() error { return v }

type fresh struct{ n int }

func (f *fresh) Error() string { return "fresh" }
func (f *fresh) Unwrap() error { return &fresh{f.n + 1} }

type brittle struct{ _ error }

func (b brittle) Error() string { panic("no text") }
func (b brittle) Unwrap() error { panic("no cause") }
func (b brittle) Is(error) bool { panic("is nothing") }
func (b brittle) As(any) bool   { panic("as nothing") }

type uncomparable struct{ _ []int }

func (u uncomparable) Error() string { return "uncomparable" }

type nothing struct{ cause error }

func (n *nothing) Error() string { return n.cause.Error() }
func (n *nothing) Unwrap() error { return n.cause }

func circle(end error) error {
	a, b := &link{text: "a"}, &link{text: "b"}
	a.cause, b.cause = b, errors.Join(a, end)
	return a
}

func blowUp(end error) error {
	err := end
	for range 60 {
		err = &many{[]error{err, err}}
	}
	return err
}

func tangle(end error) error { // every one leads to every other
	all := make([]*many, 50)
	for i := range all {
		all[i] = &many{}
	}
	for _, m := range all {
		for _, other := range all {
			m.causes = append(m.causes, other)
		}
	}
	all[7].causes = append(all[7].causes, end)
	return all[0]
}

func long(end error) error {
	for range 5000 {
		end = fmt.Errorf("and: %w", end)
	}
	return end
}

func TestWhatIsInAnErrorIsFound(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "a.csv", Err: fs.ErrNotExist}
	for name, err := range map[string]error{
		"plain": path, "circle": circle(path), "blow-up": blowUp(path), "tangle": tangle(path), "long": long(path),
		"beside one that panics":       errors.Join(brittle{}, path),
		"beside a nil pointer":         errors.Join((*nothing)(nil), (*fs.PathError)(nil), path),
		"beside one without an end":    errors.Join(uncomparable{}, path, &fresh{}, valued{}),
		"beside one that nil wraps":    &many{[]error{nil, path, nil}},
		"behind the circle of a value": errors.Join(path, valued{}),
	} {
		t.Run(name, func(t *testing.T) {
			if !Is(err, fs.ErrNotExist) {
				t.Error("Is does not find it")
			}
			if found, ok := AsType[*fs.PathError](err); !ok || found != path {
				t.Errorf("AsType finds %v", found)
			}
			if found, ok := As(err, reflect.TypeFor[*fs.PathError]()); !ok || found.Interface() != error(path) {
				t.Errorf("As finds %v", found)
			}
			if Is(err, context.Canceled) {
				t.Error("it is what it is not")
			}
			if found, ok := AsType[*link](err); ok != (name == "circle") {
				t.Errorf("AsType finds %v", found)
			}
		})
	}
}

func TestAsErrorsHasIt(t *testing.T) {
	as := asText{"text"}
	for _, err := range []error{nil, fs.ErrNotExist, context.DeadlineExceeded, fmt.Errorf("a: %w, b: %w", fs.ErrExist, as), as} {
		for _, target := range []error{nil, fs.ErrNotExist, fs.ErrExist, context.DeadlineExceeded, as, uncomparable{}} {
			if got, want := Is(err, target), errors.Is(err, target); got != want {
				t.Errorf("Is(%v, %v) = %v", err, target, got)
			}
		}
		got, ok := AsType[*link](err)
		want, wantOK := errors.AsType[*link](err)
		if ok != wantOK || (ok && *got != *want) {
			t.Errorf("AsType(%v) = %v, %v, want %v, %v", err, got, ok, want, wantOK)
		}
	}
}

type asText struct{ text string }

func (a asText) Error() string { return a.text }
func (a asText) As(target any) bool {
	l, ok := target.(**link)
	if ok {
		*l = &link{text: a.text}
	}
	return ok
}

func TestTextIsBoundedAndDoesNotPanic(t *testing.T) {
	if text := Text(brittle{}, 100); !strings.Contains(text, "errtree.brittle") || !strings.Contains(text, "no text") {
		t.Error(text)
	}
	if text := Text((*nothing)(nil), 100); !strings.Contains(text, "return nil itself") {
		t.Error(text)
	}
	huge := errors.New("head" + strings.Repeat("é", 1<<20) + "tail")
	if text := Text(huge, 1000); len(text) > 1100 || !strings.HasPrefix(text, "headé") || !strings.HasSuffix(text, "étail") || !strings.Contains(text, "2096160 bytes are left out") {
		t.Errorf("%d bytes: %.50s", len(text), text)
	}
}

func TestASentinelIsKnownByItsName(t *testing.T) {
	one := Sentinel("test-one", errors.New("one"))
	two := Sentinel("test-two", errors.New("two"))
	found := Sentinels(fmt.Errorf("%w", circle(two)))
	if len(found) != 1 || found[0] != "test-two" {
		t.Errorf("%q", found)
	}
	if !IsNamed(two, found) || IsNamed(one, found) || IsNamed(errors.New("two"), found) || IsNamed(nil, found) || IsNamed(one, []string{"of a later version"}) {
		t.Error("the name stands for another error")
	}
}

func TestATamedErrorIsSafeForPackageErrors(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "a.csv", Err: fs.ErrNotExist}
	for name, err := range map[string]error{
		"circle": circle(path), "blow-up": blowUp(path), "tangle": tangle(path), "panics": errors.Join(brittle{}, path),
		"a nil pointer": errors.Join((*nothing)(nil), path), "without an end": errors.Join(path, &fresh{}), "value": errors.Join(path, valued{}),
	} {
		t.Run(name, func(t *testing.T) {
			tame := fmt.Errorf("wrapped: %w", Tame(err))
			if !errors.Is(tame, fs.ErrNotExist) || errors.Is(tame, context.Canceled) {
				t.Error("errors.Is does not find what is there, or what is not")
			}
			if found, ok := errors.AsType[*fs.PathError](tame); !ok || found != path {
				t.Errorf("errors.AsType finds %v", found)
			}
			if _, ok := errors.AsType[*probe](tame); ok {
				t.Error("errors.AsType finds what is not there")
			}
			if name != "panics" && name != "a nil pointer" && tame.Error() != "wrapped: "+err.Error() {
				t.Errorf("its text is %q", tame)
			}
		})
	}
	for _, err := range []error{nil, path, long(path), errors.Join(path, path), fmt.Errorf("%w", asText{"x"})} {
		if tame := Tame(err); tame != err {
			t.Errorf("Tame changes %v to a %T", err, tame)
		}
	}
}

// What stands at the gate of a store is passed by every miss.
func BenchmarkTame(b *testing.B) {
	err := fmt.Errorf("a: %w", &fs.PathError{Op: "open", Path: "a.csv", Err: fs.ErrNotExist})
	for b.Loop() {
		Tame(err)
	}
}
