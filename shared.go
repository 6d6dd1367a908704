package mops

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Shared is a big value that many calls get, such as a table. mops encodes it
// once, puts it into the store once, brings it to each machine once, and
// decodes it once in each process that reads it. It may stand anywhere in an
// input or an output. There the hash of its encoding and the structure of T
// stand for it, so a result is found again also when an equal value is shared
// anew.
//
// T must be a type that an input may have, without sources or shared values in
// it. Wherever it stands, it is encoded as inputs are: nil and empty are alike,
// and -0 is +0. The zero Shared holds nothing.
//
// A Shared is safe for concurrent use and may be copied; copies share the
// value.
type Shared[T any] struct{ state *shared[T] }

// shared is the part that all copies of a Shared have in common.
type shared[T any] struct {
	value *T // as given to Share; nil if it was decoded

	mu    sync.Mutex
	codec *function.Codec // nil until it is part of a call
	ref   *source.Ref     // nil until it is encoded or decoded
}

// Share makes a value one that calls share. Do not change it any more, nor
// anything that it points to. mops encodes it when the first call is made with
// it, and holds that encoding in memory until it is in the store.
func Share[T any](value T) Shared[T] { return Shared[T]{&shared[T]{value: &value}} }

// Get returns the value. All callers of one process get the same value: do not
// change it, nor anything that it points to.
//
// A function gets the value decoded from the stored bytes, wherever it runs. An
// [Env] keeps decoded values for the next call of Get, up to 512 MiB of
// encodings, those used last; others it decodes anew. The error wraps a
// *blob.Error: of kind blob.NotFound if the bytes are gone from the store, and
// blob.Corrupt if they are not what was stored; a call with [Refresh] stores
// them again.
//
// The program that shared the value gets its own value back.
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

// String names the value in messages, without its content.
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

// MarshalCBOR writes hash and size of the value's encoding, which identify it.
// It fails before the value was part of a call.
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

// sharing is a Shared of any type.
type sharing interface {
	refer(ctx context.Context, codec *function.Codec) (*source.Ref, error)
	elem() reflect.Type
}

// refer is the value as package source knows it. The first call encodes it;
// others wait.
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

// sharedType is the T of a Shared[T]; nil for any other type.
func sharedType(t reflect.Type) reflect.Type {
	if t.PkgPath() != reflect.TypeFor[Source]().PkgPath() || !strings.HasPrefix(t.Name(), "Shared[") {
		return nil
	}
	return reflect.Zero(t).Interface().(sharing).elem()
}
