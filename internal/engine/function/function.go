// Package function holds the functions of a program with their types erased:
// name, version, codecs and a closure to run. The root package fills it through
// Define, the orchestrator makes memo keys with it, the worker runs the
// closures.
package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/values/codec"
)

// Runner calls the user's function. in and out are pointers to its very types.
type Runner func(ctx context.Context, in any) (out any, err error)

// ErrNotImplemented says that a function was declared and never implemented in
// this program.
var ErrNotImplemented = errtree.Sentinel("not-implemented", errors.New("declared, not implemented in this program: call Implement, or import the package that does"))

// Function is one registered function.
type Function struct {
	Name    string
	Version string
	Place   string // file:line of its definition
	Symbol  string // of the Go function, as the linker names it; "" if that is not known

	id       string // see ID
	registry *Registry
	declared string // its Version, as its code has it
	in, out  reflect.Type
	direct   []*Function
	runner   Runner

	prepare  sync.Once
	prepared atomic.Bool
	failed   error
	inCodec  *codec.Codec
	outCodec *codec.Codec
	calls    []string
	hashers  hashers
	homes    []oldHome
	schema   writtenSchema
	own      atomic.Pointer[own]
	origin   atomic.Pointer[origin]

	describe sync.Once
	whole    json.RawMessage // see Types
}

// ID is "name@version".
func (f *Function) ID() string { return f.id }

// setVersion is for functions that no key was made with yet.
func (f *Function) setVersion(version string) { f.Version, f.id = version, f.Name+"@"+version }

// Call names functions whose versions are part of f's memo key. It fails once
// keys were made without them.
func (f *Function) Call(callees ...*Function) error {
	if f.prepared.Load() {
		return fmt.Errorf("it is too late for Calls of %s, keys are made without them already: name them before Main, Init or New", f.Name)
	}
	f.direct = append(f.direct, callees...)
	return nil
}

// Implement sets the function to run. It fails if there is one already.
func (f *Function) Implement(run Runner) error {
	if f.runner != nil {
		return fmt.Errorf("%s is implemented already, at %s", f.Name, f.Place)
	}
	f.runner = run
	return nil
}

// Implemented reports whether the function can run in this program.
func (f *Function) Implemented() bool { return f.runner != nil }

// Run calls the user's function, which must be implemented, or what stands in for it.
func (f *Function) Run(ctx context.Context, in any) (any, error) {
	for s := stubOf(ctx, f.Name); s != nil; s = s.below {
		if s.run != nil {
			return s.run(ctx, in)
		}
		if err := s.fault(); err != nil {
			return nil, err
		}
	}
	return f.runner(ctx, in)
}

// NewIn is a pointer to a zero In.
func (f *Function) NewIn() any { return reflect.New(f.in).Interface() }

func (f *Function) newOut() any { return reflect.New(f.out).Interface() }

// Prepare makes codecs and key. It runs once; later calls return the same
// error.
func (f *Function) Prepare() error {
	f.prepare.Do(func() { f.failed = f.doPrepare() })
	return f.failed
}

func (f *Function) doPrepare() (err error) {
	f.prepared.Store(true)
	if f.inCodec, err = codec.For(f.in, codec.Input, f.registry.Types); err != nil {
		return fmt.Errorf("function %s (%s): its input: %w", f.Name, f.Place, err)
	}
	if f.outCodec, err = codec.For(f.out, codec.Output, f.registry.Types); err != nil {
		return fmt.Errorf("function %s (%s): its output: %w", f.Name, f.Place, err)
	}
	if err = f.inCodec.CheckZero(); err != nil {
		return fmt.Errorf("function %s (%s): its input: %w", f.Name, f.Place, err)
	}
	if err = f.outCodec.CheckZero(); err != nil {
		return fmt.Errorf("function %s (%s): its output: %w", f.Name, f.Place, err)
	}
	if err = f.setOrigin(); err != nil {
		return err
	}
	f.calls = f.transitive()
	if err := f.schema.set(f.inCodec, f.outCodec); err != nil {
		return fmt.Errorf("function %s (%s): %w", f.Name, f.Place, err)
	}
	f.hashers = f.newHashers(f.Name, f.Version)
	for i := range f.homes {
		f.homes[i].hashers = f.newHashers(f.homes[i].Name, f.homes[i].Version)
	}
	return nil
}

// hashers make the two keys of a call.
type hashers struct{ usual, exact *memokey.Hasher }

func (f *Function) newHashers(name, version string) (h hashers) {
	parts := memokey.Parts{
		Name: name, Version: version, Calls: f.calls,
		In: f.inCodec.Fingerprint(), Out: f.outCodec.Fingerprint(),
	}
	h.usual = memokey.NewHasher(parts)
	parts.Schema = string(f.schema.text)
	h.exact = memokey.NewHasher(parts)
	return h
}

// transitive are the sorted IDs of all functions that f can reach, without f
// itself.
func (f *Function) transitive() (ids []string) {
	for _, g := range f.reached() {
		ids = append(ids, g.ID())
	}
	return slices.Compact(ids)
}

// reached are all functions that f can reach through Calls, without f itself, by
// their IDs.
func (f *Function) reached() (all []*Function) {
	seen := map[*Function]bool{f: true}
	var visit func(*Function)
	visit = func(g *Function) {
		for _, callee := range g.direct {
			if !seen[callee] {
				seen[callee] = true
				all = append(all, callee)
				visit(callee)
			}
		}
	}
	visit(f)
	slices.SortStableFunc(all, func(a, b *Function) int { return strings.Compare(a.ID(), b.ID()) })
	return all
}

// In is the codec of the input, after Prepare.
func (f *Function) In() *codec.Codec { return f.inCodec }

// Out is the codec of the output, after Prepare.
func (f *Function) Out() *codec.Codec { return f.outCodec }

// Key is the memo key of a call with that canonical input, after Prepare.
func (f *Function) Key(input []byte) memokey.Key { return f.hashers.usual.Key(input) }

// ExactKey is the memo key of a call whose usual key another program uses, with
// types that differ in parts that the fingerprints leave out. This key leaves
// nothing out, so only programs with the same types use it.
func (f *Function) ExactKey(input []byte) memokey.Key { return f.hashers.exact.Key(input) }

// Describe says in a record which function a call is of, after Prepare.
func (f *Function) Describe(pipeline string) record.Call {
	return record.Call{
		Function: f.Name, Version: f.Version, Pipeline: pipeline, Codec: record.Codec,
		Calls: f.calls, In: f.inCodec.Fingerprint(), Out: f.outCodec.Fingerprint(),
	}
}

// Head is the beginning of a record of a call.
func (f *Function) Head(key memokey.Key, runID string) record.Head {
	return record.Head{MemoKey: key.String(), RunID: runID, Origin: f.Origin(), Schema: f.schema.text}
}

// EncodeIn is the canonical input of a call; in points to the In.
func (f *Function) EncodeIn(ctx context.Context, in any) ([]byte, error) {
	return f.inCodec.Encode(ctx, reflect.ValueOf(in).Elem())
}

// CloneIn sets the In behind to to a copy of the In behind in; see
// [codec.Codec.Clone]. After Prepare.
func (f *Function) CloneIn(in, to any) error {
	return f.inCodec.Clone(reflect.ValueOf(in).Elem(), reflect.ValueOf(to).Elem())
}

// DecodeIn is the inverse of EncodeIn, into a new In. Fields that stay out of
// the key come from the caller's own value, if there is one.
func (f *Function) DecodeIn(ctx context.Context, data []byte, in, local any) error {
	if err := f.inCodec.Decode(ctx, data, reflect.ValueOf(in)); err != nil {
		return err
	}
	if local != nil {
		f.inCodec.HandOver(reflect.ValueOf(local).Elem(), reflect.ValueOf(in).Elem())
	}
	return nil
}

// Kept names a field that stays out of the key and is not zero; "" if there is
// none. in points to the In, or is nil.
func (f *Function) Kept(in any) string {
	if in == nil {
		return ""
	}
	return f.inCodec.Kept(reflect.ValueOf(in).Elem())
}

// EncodeOut is the body of a result; out points to the Out.
func (f *Function) EncodeOut(ctx context.Context, out any) ([]byte, error) {
	return f.outCodec.Encode(ctx, reflect.ValueOf(out).Elem())
}

// DecodeOut is the inverse of EncodeOut. It leaves out omitzero fields that
// only a newer program has.
func (f *Function) DecodeOut(ctx context.Context, data []byte, out any) error {
	return f.outCodec.DecodeKnown(ctx, data, reflect.ValueOf(out))
}

// InRefs are the sources in an input, in a fixed order. It fails if a shared
// value, or the input itself, cannot be encoded.
func (f *Function) InRefs(ctx context.Context, in any) ([]*source.Ref, error) {
	return f.refs(ctx, f.inCodec, in)
}

// OutRefs are the sources in an output; see InRefs.
func (f *Function) OutRefs(ctx context.Context, out any) ([]*source.Ref, error) {
	return f.refs(ctx, f.outCodec, out)
}

func (f *Function) refs(ctx context.Context, c *codec.Codec, v any) ([]*source.Ref, error) {
	if !c.Visits() {
		return nil, nil
	}
	return f.visit(ctx, c, v)
}

func (f *Function) visit(ctx context.Context, c *codec.Codec, v any) (refs []*source.Ref, err error) {
	err = c.Visit(ctx, reflect.ValueOf(v).Elem(), func(value reflect.Value) error {
		ref, err := f.registry.sources.Ref(ctx, value, c.Shared(value.Type()))
		if ref != nil {
			refs = append(refs, ref)
		}
		return err
	})
	return refs, err
}

// EncodeError is the record of an error of a registered type; nil for others.
func (f *Function) EncodeError(err error) *record.RegisteredError { return f.registry.EncodeError(err) }

// DecodeError makes an error of a registered type again; nil for others.
func (f *Function) DecodeError(stored *record.RegisteredError) error {
	return f.registry.DecodeError(stored)
}
