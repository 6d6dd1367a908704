package mops_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// The kind of these faults: memory of the caller's is used after it has gone
// back to the caller, or two callers get the same memory. Callers here
// overwrite what they passed as soon as it is their own again, and their
// results at once. Under -race each such use shows, too.

// parcel is an input that holds, in many ways, memory that may be overwritten.
type parcel struct {
	Bytes  []byte
	Counts map[string][]int
	Next   *crate
	File   mops.Source
	Table  mops.Shared[[]string]
	Note   func() string `mops:"-"`
}

type crate struct {
	Bytes []byte
	Rows  []crate
	Next  *crate
}

func (p *parcel) fill(i int) {
	name := fmt.Sprintf("line %03d", i)
	copy(p.Bytes, name)
	p.Counts["n"][0] = i
	p.Next.Bytes = append(p.Next.Bytes[:0], name...)
	p.Note = func() string { return name }
}

func newParcel() *parcel {
	return &parcel{Bytes: make([]byte, len("line 000")), Counts: map[string][]int{"n": {0}}, Next: &crate{}}
}

func (p parcel) text() string {
	return fmt.Sprintf("%s %d %s %s", p.Bytes, p.Counts["n"][0], p.Next.Bytes, p.Note())
}

func parcelText(i int) string { return fmt.Sprintf("line %03d %d line %03[1]d line %03[1]d", i, i) }

// reused yields one parcel over and over, each time with something else in it.
func reused(n int, also func(*parcel, int)) iter.Seq[parcel] {
	return func(yield func(parcel) bool) {
		p := newParcel()
		for i := range n {
			p.fill(i)
			also(p, i)
			if !yield(*p) {
				return
			}
		}
	}
}

func TestEachTakesInputsFromOneBuffer(t *testing.T) {
	ctx := mopstest.Context(t)
	write := mops.Define("write", func(_ context.Context, p parcel) (string, error) { return p.text(), nil }, private())
	for _, outcome := range []mops.Outcome{mops.Computed, mops.Hit} {
		n := 0
		for r := range write.Each(ctx, reused(200, func(*parcel, int) {})) {
			n++
			if want := parcelText(r.Index); r.Err != nil || r.Out != want || r.In.text() != want || r.Info.Outcome != outcome {
				t.Errorf("input %d (%s): %q, %v, %v", r.Index, r.In.text(), r.Out, r.Info.Outcome, r.Err)
			}
		}
		if n != 200 {
			t.Errorf("%d results", n)
		}
	}
}

func TestEachTakesSourcesAndSharedValuesFromOneBuffer(t *testing.T) {
	ctx := mopstest.Context(t)
	var paths []string
	for i := range 20 {
		paths = append(paths, file(t, fmt.Sprint(i), fmt.Sprint("file ", i)))
	}
	table := mops.Share([]string{"shared"})
	read := mops.Define("read", func(ctx context.Context, p parcel) (string, error) {
		path, err := p.File.Path(ctx)
		if err != nil {
			return "", err
		}
		rows, err := p.Table.Get(ctx)
		return string(must(os.ReadFile(path))) + rows[0], err
	}, private())
	for r := range read.Each(ctx, reused(len(paths), func(p *parcel, i int) { p.File, p.Table = mops.File(paths[i]), table })) {
		if want := fmt.Sprintf("file %dshared", r.Index); r.Err != nil || r.Out != want {
			t.Errorf("input %d: %q, %v", r.Index, r.Out, r.Err)
		}
		if got, err := r.In.Table.Get(ctx); err != nil || got[0] != "shared" {
			t.Errorf("input %d: its shared value: %v, %v", r.Index, got, err)
		}
		if path, err := r.In.File.Path(ctx); err != nil || path != paths[r.Index] {
			t.Errorf("input %d: its file: %v, %v", r.Index, path, err)
		}
	}
}

// An input that cannot be encoded fails alone.
func TestEachGoesOnAfterAnInputThatContainsItself(t *testing.T) {
	ctx := mopstest.Context(t)
	count := mops.Define("count", func(_ context.Context, p *crate) (int, error) { return len(p.Bytes), nil }, private())
	circle := &crate{}
	circle.Rows = []crate{{Next: circle}}
	results := map[int]error{}
	for r := range count.Each(ctx, slices.Values([]*crate{{}, circle, {Bytes: []byte("x")}})) {
		results[r.Index] = r.Err
	}
	if len(results) != 3 || results[0] != nil || results[2] != nil {
		t.Errorf("%v", results)
	}
	mentions(t, results[1], "its input cannot be encoded", "contains itself")
}

// A call that was started, and one that was left, go on without the caller's memory.
func TestAnInputIsTheCallersAgainOnceTheCallReturned(t *testing.T) {
	ctx := mopstest.Context(t)
	started, goOn := make(chan struct{}, 100), make(chan struct{})
	write := mops.Define("write", func(_ context.Context, p parcel) (string, error) {
		started <- struct{}{}
		<-goOn
		return p.text(), nil
	}, private())
	p := newParcel()
	var calls []*mops.Call[string]
	for i := range 20 {
		p.fill(i)
		calls = append(calls, must(write.Start(ctx, *p)))
	}
	p.fill(20)
	leaving, cancel := context.WithCancel(ctx)
	left := make(chan error)
	go func() { _, err := write.Call(leaving, *p); left <- err }()
	stays := must(write.Start(ctx, *p)) // so that the flight goes on
	<-started
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the call that was left: %v", err)
	}
	calls = append(calls, stays)
	p.fill(999)
	close(goOn)
	for i, call := range calls {
		if out, err := call.Wait(ctx); err != nil || out != parcelText(i) {
			t.Errorf("call %d: %q, %v", i, out, err)
		}
	}
	// An output that is injected goes back, too.
	rows := mops.Define("rows", func(context.Context, int) ([]string, error) { return nil, nil }, private())
	out := []string{"mine"}
	if err := rows.Inject(ctx, 1, out); err != nil {
		t.Fatal(err)
	}
	out[0] = "overwritten"
	if got := must(rows.Call(ctx, 1)); got[0] != "mine" {
		t.Errorf("what was injected became %q", got)
	}
}

type careless struct{ kept []byte } // it keeps the bytes that it decodes, as it must not

func (c careless) MarshalBinary() ([]byte, error)     { return c.kept, nil }
func (c *careless) UnmarshalBinary(data []byte) error { c.kept = data; return nil }

type heap struct {
	Bytes    []byte
	Map      map[string]int
	Pointer  *[2]int
	Careless careless
}

func (b heap) scribble() {
	b.Bytes[0], b.Map["k"], b.Pointer[0], b.Careless.kept[0] = 'x', 2, 2, 'x'
}

func (b heap) sound() bool {
	return string(b.Bytes) == "abc" && maps.Equal(b.Map, map[string]int{"k": 1}) && b.Pointer[0] == 1 && string(b.Careless.kept) == "abc"
}

// All who wait for one flight, and the function in each of its attempts, have
// memory of their own.
func TestTwoWhoWaitForOneCallShareNoMemory(t *testing.T) {
	ctx := mopstest.Context(t)
	goOn := make(chan struct{})
	pack := mops.Define("pack", func(_ context.Context, in heap) (heap, error) {
		<-goOn
		if !in.sound() {
			return in, errors.New("the input was overwritten")
		}
		out := heap{bytes.Clone(in.Bytes), maps.Clone(in.Map), &[2]int{1}, careless{bytes.Clone(in.Careless.kept)}}
		in.scribble()
		return out, nil
	}, private())
	in := heap{[]byte("abc"), map[string]int{"k": 1}, &[2]int{1}, careless{[]byte("abc")}}
	var waiting sync.WaitGroup
	var calls []*mops.Call[heap]
	for range 8 {
		calls = append(calls, must(pack.Start(ctx, in)))
	}
	close(goOn)
	for _, call := range calls {
		waiting.Go(func() {
			for range 2 { // one caller that waits twice, too
				out, err := call.Wait(ctx)
				if err != nil || !out.sound() {
					t.Errorf("%+v, %v", out, err)
					return
				}
				out.scribble()
			}
		})
	}
	waiting.Wait()
	tried := 0
	again := mops.Define("again", func(_ context.Context, in heap) (int, error) {
		sound := in.sound()
		in.scribble()
		if tried++; tried < 3 {
			return 0, errors.New("try again")
		} else if !sound {
			return 0, errors.New("an attempt before overwrote the input")
		}
		return tried, nil
	}, private(), mops.Retries(2))
	if out, err := again.Call(ctx, in); err != nil || out != 3 {
		t.Errorf("%d, %v", out, err)
	}
}

type editable struct{ Notes []string }

func (e *editable) Error() string { return strings.Join(e.Notes, ", ") }

// Errors of registered types are values like others.
func TestTwoWhoWaitForOneErrorShareNoMemory(t *testing.T) {
	ctx := mopstest.Context(t)
	in := private()
	mops.RegisterError[*editable](in)
	goOn := make(chan struct{})
	f := mops.Define("f", func(context.Context, int) (int, error) {
		<-goOn
		return 0, &editable{[]string{"as it was"}}
	}, in)
	one, two := must(f.Start(ctx, 1)), must(f.Start(ctx, 1))
	close(goOn)
	for _, call := range []*mops.Call[int]{one, two} {
		_, err := call.Wait(ctx)
		e, ok := errors.AsType[*editable](err)
		if !ok || e.Notes[0] != "as it was" {
			t.Fatalf("%v", err)
		}
		e.Notes[0] = "overwritten"
	}
}
