package function

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/codec"
)

// errorType is an error type that comes back from a record as itself.
type errorType struct {
	name  string
	typ   reflect.Type
	codec *codec.Codec
}

// AddError registers an error type. EncodeError looks for it in an error's
// chain as errors.As does.
func (r *Registry) AddError(typ reflect.Type) error {
	name := TypeName(typ)
	c, err := codec.For(typ, codec.Output, r.Types)
	if err != nil {
		return fmt.Errorf("error type %s: %w", name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.errors[name]; taken {
		return fmt.Errorf("error type %s is registered twice", name)
	}
	r.errors[name] = &errorType{name: name, typ: typ, codec: c}
	return nil
}

// TypeName is the full name of a type, as records have it.
func TypeName(typ reflect.Type) string {
	if typ.Kind() == reflect.Pointer {
		return "*" + TypeName(typ.Elem())
	}
	if typ.PkgPath() == "" {
		return typ.String()
	}
	return typ.PkgPath() + "." + typ.Name()
}

// EncodeError finds the first error of a registered type in err's chain and
// encodes it; nil if there is none.
func (r *Registry) EncodeError(err error) *record.RegisteredError {
	for _, known := range r.errorTypes() {
		found, ok := errtree.As(err, known.typ)
		if !ok {
			continue
		}
		// The error may be the end of a context: encode it all the same.
		if data, encodeErr := known.codec.Encode(context.Background(), found); encodeErr == nil {
			return &record.RegisteredError{Name: known.name, Data: data}
		}
	}
	return nil
}

// DecodeError makes the error again that EncodeError encoded; nil if this
// program does not know its type.
func (r *Registry) DecodeError(stored *record.RegisteredError) error {
	if stored == nil {
		return nil
	}
	r.mu.Lock()
	known := r.errors[stored.Name]
	r.mu.Unlock()
	if known == nil {
		return nil
	}
	value := reflect.New(known.typ)
	if known.codec.Decode(context.Background(), stored.Data, value) != nil {
		return nil
	}
	err, _ := value.Elem().Interface().(error)
	return err
}

func (r *Registry) errorTypes() []*errorType {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*errorType, 0, len(r.errors))
	for _, known := range r.errors {
		all = append(all, known)
	}
	// Of several types that match always take the same one, whatever the order of
	// the map.
	slices.SortFunc(all, func(a, b *errorType) int { return strings.Compare(a.name, b.name) })
	return all
}

// mostTypes is how many types of an error are named.
const mostTypes = 32

// TypeChain names the types of an error and of all that it wraps, outermost first.
func TypeChain(err error) []string {
	var chain []string
	for e := range errtree.All(err) {
		if chain = append(chain, TypeName(reflect.TypeOf(e))); len(chain) == mostTypes {
			break
		}
	}
	return chain
}
