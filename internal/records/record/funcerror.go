package record

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// FuncError is the body of an error record: the error that the user's function
// returned, or its panic.
type FuncError struct {
	Message    string           `cbor:"message"`
	Types      []string         `cbor:"types,omitempty"` // of the error and of those it wraps, outermost first
	Stack      string           `cbor:"stack,omitempty"` // of the panic
	Panic      bool             `cbor:"panic,omitempty"`
	Registered *RegisteredError `cbor:"registered,omitempty"`

	// Transient says that not the function itself failed, but the store or a worker
	// below it: such an error never replaces a run.
	Transient bool `cbor:"transient,omitempty"`

	// Sentinels names mops's own errors in the chain, for errors.Is.
	Sentinels []string `cbor:"is,omitempty"`
}

// RegisteredError is an error value of a registered type, so that it comes back
// as itself.
type RegisteredError struct {
	Name string `cbor:"name"` // of the registration
	Data []byte `cbor:"data"` // the value, as the type's codec wrote it
}

// Encode writes e as CBOR. It replaces bytes that are not UTF-8, which CBOR
// text must be, by U+FFFD.
func (e FuncError) Encode() ([]byte, error) {
	e.Message = text(e.Message)
	e.Stack = text(e.Stack)
	e.Types = slices.Clone(e.Types)
	for i, t := range e.Types {
		e.Types[i] = text(t)
	}
	data, err := cbor.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("an error cannot be written as CBOR: %w", err)
	}
	return data, nil
}

// DecodeFuncError reads what Encode wrote, and ignores unknown fields. A
// failure is a *FormatError: the record around it is intact.
func DecodeFuncError(data []byte) (FuncError, error) {
	mode, err := decoding()
	if err != nil {
		return FuncError{}, err
	}
	var e FuncError
	if err := mode.Unmarshal(data, &e); err != nil {
		return FuncError{}, &FormatError{Want: KindError, Format: Format, Kind: string(KindError),
			Reason: "its body does not decode: " + err.Error()}
	}
	return e, nil
}

// decoding accepts invalid UTF-8: a stored error must be readable.
var decoding = sync.OnceValues(func() (cbor.DecMode, error) {
	return cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()
})

func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
