package mops

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/function"
	"github.com/TrilliantHealth/mops-go/internal/source"
)

// Shared is a big value that many calls get, such as a table: it is encoded
// once, goes to the store once, to each machine once, and is decoded once in
// each process that reads it. It may stand anywhere in an input or an output.
// There it is known by the hash of its encoding and the structure of T, so a
// result is found again also when an equal value is shared anew.
//
// T must be a type that an input may have, without sources or shared values in
// it. Wherever it stands, it is encoded as inputs are: nil and empty are alike,
// and -0 is +0. The zero Shared holds nothing.
//
// A Shared is safe for concurrent use and may be copied; copies share the value.
type Shared[T any] struct{ state *shared[T] }

// shared is what all copies of a Shared have in common.
type shared[T any] struct {
	value *T // as it was given to Share; nil in one that was decoded

	mu    sync.Mutex
	codec *function.Codec // nil before it was part of a call
	ref   *source.Ref     // nil before it was encoded or decoded
}

// Share makes a value one that calls share. It must not be changed any more, nor
// what it points to. It is encoded when the first call is made with it, and that
// encoding is held in memory until it is in the store.
func Share[T any](value T) Shared[T] { return Shared[T]{&shared[T]{value: &value}} }

// Get returns the value. All who get it in one process have the same: it must
// not be changed, nor what it points to.
//
// A function gets what was decoded from the stored bytes, wherever it runs. What
// was decoded is kept for the next who asks, up to 512 MiB of encodings in all
// for an [Env], those used last; the rest is decoded anew. The error is one of
// kind blob.NotFound where the bytes are gone from the store, and blob.Corrupt
// where they are not what was stored; a call with [Refresh] stores them again.
//
// Whoever shared the value gets that one back.
func (s Shared[T]) Get(ctx context.Context) (value T, err error) {
	if s.state == nil {
		return value, fmt.Errorf("mops: a zero %v has no value: make one with Share", reflect.TypeFor[Shared[T]]())
	}
	if s.state.value != nil {
		return *s.state.value, nil
	}
	s.state.mu.Lock()
	codec, ref := s.state.codec, s.state.ref
	s.state.mu.Unlock()
	if codec == nil {
		return value, errors.New("mops: this shared value was decoded, but is part of no call: get it from the input of a function or from a result")
	}
	decoded, err := ref.Decoded(ctx, reflect.TypeFor[T](), func(data []byte) (any, error) {
		into := new(T)
		return into, codec.Decode(ctx, data, reflect.ValueOf(into))
	})
	if err != nil {
		return value, err
	}
	return *decoded.(*T), nil
}

// IsZero reports whether s holds nothing.
func (s Shared[T]) IsZero() bool { return s.state == nil }

// String names the value in messages, and does not show it.
func (s Shared[T]) String() string {
	if s.state == nil {
		return "no shared value"
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.ref == nil {
		return fmt.Sprintf("a shared %v", reflect.TypeFor[T]())
	}
	return fmt.Sprintf("a shared %v of %d bytes with SHA-256 %s", reflect.TypeFor[T](), s.state.ref.Size(), s.state.ref.Hash())
}

// MarshalCBOR writes what the value is known by: hash and size of its encoding.
// It works once the value was part of a call.
func (s Shared[T]) MarshalCBOR() ([]byte, error) {
	if s.state == nil {
		return []byte{cborNull}, nil
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.ref == nil {
		return nil, fmt.Errorf("mops: %s was not encoded yet: pass it to a call, or return it from one", reflect.TypeFor[Shared[T]]())
	}
	return s.state.ref.MarshalCBOR()
}

// UnmarshalCBOR reads what MarshalCBOR wrote.
func (s *Shared[T]) UnmarshalCBOR(data []byte) error {
	if len(data) == 1 && data[0] == cborNull {
		*s = Shared[T]{}
		return nil
	}
	ref, err := source.Decode(data)
	if err != nil {
		return err
	}
	if id, _ := ref.Identity(); id.Kind != source.KindValue {
		return fmt.Errorf("mops: found a %s where a shared value should be", id)
	}
	s.state = &shared[T]{ref: ref}
	return nil
}

// sharing is any Shared.
type sharing interface {
	refer(ctx context.Context, codec *function.Codec) (*source.Ref, error)
	elem() reflect.Type
}

// refer is the value as package source knows it, encoded when it is asked for
// first. Who comes meanwhile waits.
func (s Shared[T]) refer(ctx context.Context, codec *function.Codec) (*source.Ref, error) {
	if s.state == nil {
		return nil, nil
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.ref == nil {
		ref, err := source.Value(ctx, func(ctx context.Context) ([]byte, error) {
			return codec.Encode(ctx, reflect.ValueOf(s.state.value).Elem())
		})
		if err != nil {
			return nil, err
		}
		s.state.ref = ref
	}
	s.state.codec = codec
	return s.state.ref, nil
}

func (Shared[T]) elem() reflect.Type { return reflect.TypeFor[T]() }

// sharedType is what a Shared of any kind shares; nil for any other type.
func sharedType(t reflect.Type) reflect.Type {
	if t.PkgPath() != reflect.TypeFor[Source]().PkgPath() || !strings.HasPrefix(t.Name(), "Shared[") {
		return nil
	}
	return reflect.Zero(t).Interface().(sharing).elem()
}
