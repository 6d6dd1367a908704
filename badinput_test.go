package mops_test

import (
	"context"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

func TestBadNamesAreRefusedAtDefine(t *testing.T) {
	for name, says := range map[string]string{
		"a/../b": "..", "a//b": "empty", "/a": "empty", "a/": "empty", "my function": "' '",
		strings.Repeat("a", 300): "160", "a/b/c/d/e/f/g": "6", "größe": "ö", "Forecast": "F", "a.": ".", ".a": ".", "": "empty", "a\x00": "a",
	} {
		message := panics(t, func() { mops.Define(name, double, private()) })
		if !strings.Contains(message, says) || !strings.Contains(message, "badinput_test.go:") {
			t.Errorf("%q: %s", name, message)
		}
	}
	for _, version := range []string{"", "a/b", "..", "v 1", strings.Repeat("1", 65), "ü"} {
		if message := panics(t, func() { mops.Define("f", double, private(), mops.Version(version)) }); !strings.Contains(message, "function f") {
			t.Errorf("version %q: %s", version, message)
		}
	}
}

func TestABadPipelineIsRefusedByTheCall(t *testing.T) {
	ctx := mopstest.Context(t)
	f, _ := counted(t)
	for _, pipeline := range []string{"", "a/b", "..", "a b", strings.Repeat("p", 65)} {
		if _, err := mops.New(t.Context(), mops.Isolated(), mops.Pipeline(pipeline)); err == nil || !strings.Contains(err.Error(), "pipeline") {
			t.Errorf("New, %q: %v", pipeline, err)
		}
		if _, err := f.With(mops.Pipeline(pipeline)).Call(ctx, 1); err == nil || !strings.Contains(err.Error(), "pipeline") {
			t.Errorf("%q: %v", pipeline, err)
		}
	}
}

func TestTwoFunctionsOfOneNameAreBothNamed(t *testing.T) {
	in := private()
	mops.Define("f", double, in)
	message := panics(t, func() {
		mops.Declare[int, int]("f", in)
	})
	if strings.Count(message, "badinput_test.go:") < 2 || !strings.Contains(message, "defined twice") {
		t.Error(message)
	}
}

func TestAFunctionIsImplementedOnce(t *testing.T) {
	f := mops.Declare[int, int]("f", private())
	f.Implement(double)
	if message := panics(t, func() { f.Implement(double) }); !strings.Contains(message, "implemented already") {
		t.Error(message)
	}
	if message := panics(t, func() { mops.Define[int, int]("g", nil, private()) }); !strings.Contains(message, "nil") {
		t.Error(message)
	}
}

func TestCallsOfWhatIsNotThereYetIsRefused(t *testing.T) {
	var later *mops.Func[int, int]
	if message := panics(t, func() { mops.Define("f", double, private(), mops.Calls(later)) }); !strings.Contains(message, "Calls") {
		t.Error(message)
	}
}

type deep[T any] struct {
	Layers []map[string]struct{ Inner *T }
}

type hidden struct {
	Shown  int
	secret int
}

func refused[T any](t *testing.T, says ...string) {
	t.Helper()
	for side, define := range map[string]func(){
		"In":  func() { mops.Define("f", func(context.Context, T) (int, error) { return 0, nil }, private()) },
		"Out": func() { mops.Define("f", func(context.Context, int) (out T, _ error) { return out, nil }, private()) },
	} {
		message := panics(t, define)
		for _, text := range append(says, side, "badinput_test.go:") {
			if !strings.Contains(message, text) {
				t.Errorf("%s: the message does not say %q: %s", side, text, message)
			}
		}
	}
}

func TestTypesThatCannotBeEncodedAreRefusedAtAnyDepth(t *testing.T) {
	refused[chan int](t, "chan int")
	refused[deep[chan int]](t, ".Layers[]", ".Inner", "chan int")
	refused[deep[func()]](t, ".Inner", "func()")
	refused[deep[unsafe.Pointer]](t, ".Inner", "unsafe.Pointer")
	refused[deep[complex128]](t, ".Inner", "complex128")
	refused[deep[hidden]](t, ".Inner", "secret")
	refused[deep[os.File]](t, ".Inner")
	refused[map[float64]int](t, "float64")
	_ = hidden{secret: 1}
}

type link struct{ Next *link }

func TestAnInputNestedTooDeepIsAnError(t *testing.T) {
	ctx := mopstest.Context(t)
	f := mops.Define("f", func(context.Context, *link) (int, error) { return 0, errors.New("it ran") }, private())
	var chain *link
	for range 100_000 {
		chain = &link{chain}
	}
	_, err := f.Call(ctx, chain)
	mentions(t, err, "f: its input", "In.Next.Next", "10,000 deep", "flatten")
	circle := &link{}
	circle.Next = &link{circle}
	_, err = f.Call(ctx, circle)
	mentions(t, err, "f: its input", "contains itself")
}

// A result may be nested too deep, or contain itself; its type does not show
// that. The error is the function's, and says so.
func TestAResultNestedTooDeepIsTheFunctionsError(t *testing.T) {
	ctx := mopstest.Context(t)
	f := mops.Define("f", func(context.Context, int) (*link, error) {
		circle := &link{}
		circle.Next = circle
		return circle, nil
	}, private())
	_, err := f.Call(ctx, 1)
	if _, ok := errors.AsType[*mops.FuncError](err); !ok {
		t.Errorf("%T", err)
	}
	mentions(t, err, "the result cannot be encoded", "Out.Next", "contains itself", "mem://")
}

func TestADeclaredFunctionIsOnlyMissedWhereItMustRun(t *testing.T) {
	ctx, root := onDisk(t, mops.KeepRun(false))
	declared := mops.Declare[int, int]("f", private())
	for name, f := range map[string]*mops.Func[int, int]{"plain": declared, "off": declared.With(mops.Off()), "kept errors": declared.With(mops.KeepErrors())} {
		_, err := f.Call(ctx, 1)
		if !errors.Is(err, mops.ErrNotImplemented) {
			t.Errorf("%s: %v", name, err)
		}
		mentions(t, err, "f: ", "Implement")
	}
	if files := listing(t, root); len(files) != 0 {
		t.Errorf("the store has %q", files)
	}
	must(mops.Define("f", double, private()).Call(ctx, 1))
	if out, err := declared.Call(ctx, 1); err != nil || out != 2 {
		t.Errorf("a result that is there: %d, %v", out, err)
	}
}

// New finds a type that marshals itself and can never be read. Define does not:
// it would call methods whose variables are not set yet.
func TestATypeThatCannotBeReadIsRefusedByNew(t *testing.T) {
	registry := mops.NewRegistry()
	mops.Define("f", func(context.Context, map[string]unpriced) (int, error) { return 0, nil }, mops.In(registry))
	_, err := mops.New(t.Context(), mops.Isolated(), mops.Root("mem://"+t.Name()), mops.In(registry))
	if err == nil || !strings.Contains(err.Error(), "In[] (mops_test.unpriced)") || !strings.Contains(err.Error(), "UnmarshalText") {
		t.Errorf("%v", err)
	}
}

// unpriced panics until it gets a number.
type unpriced struct{ n *big.Int }

func (p unpriced) MarshalText() ([]byte, error)       { return p.n.MarshalText() }
func (p *unpriced) UnmarshalText(digits []byte) error { return p.n.UnmarshalText(digits) }

// An input with shared parts, whose encoding would be exponentially larger than
// itself, is refused at once, with the way out.
func TestAnInputThatBlowsUpIsRefused(t *testing.T) {
	type node struct{ L, R *node }
	f := mops.Define("f", func(context.Context, *node) (int, error) { t.Error("it ran"); return 0, nil }, private())
	in := &node{}
	for range 64 {
		in = &node{in, in}
	}
	_, err := f.Call(mopstest.Context(t), in)
	if err == nil || !strings.Contains(err.Error(), "refer to it by index") {
		t.Errorf("%v", err)
	}
}
