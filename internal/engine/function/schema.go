package function

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/codec"
	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// writtenSchema describes the parts of a function's types that their
// fingerprints leave out.
type writtenSchema struct {
	types  schema.Types
	text   json.RawMessage // as records have it
	varies bool            // a record with the same fingerprints may have other types
	last   atomic.Pointer[otherSchema]
}

// otherSchema is the schema of a record, and the outcome of comparing it: there
// are few schemas, and many records.
type otherSchema struct {
	text      json.RawMessage
	forResult string // see schema.Types.Incompatible
	forError  string
}

func (s *writtenSchema) set(in, out *codec.Codec) (err error) {
	s.types = schema.Types{In: in.Schema(), Out: out.Schema()}
	// A shared value in a result is known by the hash of its encoding, so it must
	// not have parts that this program does not know.
	s.varies = len(s.types.In) > 0 || len(s.types.Out) > 0 || out.Shares()
	s.text, err = s.types.Encode()
	return err
}

// longestTypes is the length in bytes of the longest description of types that
// records of calls carry.
const longestTypes = 16 << 10

// Types describes the whole types of the function, as invocations have them;
// nil if that is long. After Prepare.
func (f *Function) Types() json.RawMessage {
	f.describe.Do(func() {
		text, err := schema.Types{In: f.inCodec.Whole(), Out: f.outCodec.Whole()}.Encode()
		if err == nil && len(text) <= longestTypes {
			f.whole = text
		}
	})
	return f.whole
}

// SchemaHash is a SHA-256 in hexadecimal over the parts of the types that the
// fingerprints leave out, after Prepare.
func (f *Function) SchemaHash() string {
	sum := sha256.Sum256(f.schema.text)
	return hex.EncodeToString(sum[:])
}

// Incompatible says, as the end of a sentence, why this program cannot use a
// result with the memo key of a call; "" if it can. Either the writer's types
// differ in parts that the fingerprints leave out, or the result is of the
// first release, which did not describe these parts, and cannot be decoded. run
// is the result's run id.
func (f *Function) Incompatible(result record.Record, run string) string {
	if !f.schema.varies || record.HasSchema(result.Header, run, f.schema.text) {
		return ""
	}
	other, why := f.schema.of(result.Header, run)
	switch {
	case other != nil:
		return other.forResult
	case why != "":
		return why
	}
	// A context that ends would say nothing about the result.
	if err := f.DecodeOut(context.Background(), result.Body, f.newOut()); err != nil {
		return "that cannot be decoded: " + err.Error()
	}
	return ""
}

// IncompatibleError is Incompatible for the record of an error.
func (f *Function) IncompatibleError(failed record.Record, run string) string {
	if !f.schema.varies || record.HasSchema(failed.Header, run, f.schema.text) {
		return ""
	}
	other, why := f.schema.of(failed.Header, run)
	if other != nil {
		return other.forError
	}
	return why
}

// of compares with the schema of a header. The result is nil if there is none,
// or if it cannot be read; only then why is set.
func (s *writtenSchema) of(header []byte, run string) (other *otherSchema, why string) {
	if other := s.last.Load(); other != nil && record.HasSchema(header, run, other.text) {
		return other, ""
	}
	const unreadable = "whose header this program cannot read: "
	text, err := record.Schema(header)
	if err != nil {
		return nil, unreadable + err.Error()
	}
	if text == nil {
		return nil, ""
	}
	types, err := schema.Parse(text)
	if err != nil {
		return nil, unreadable + err.Error()
	}
	other = &otherSchema{text: text, forResult: s.types.Incompatible(types), forError: s.types.IncompatibleIn(types)}
	s.last.Store(other)
	return other, ""
}
