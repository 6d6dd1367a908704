package view

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// Condition is what state a record was found in.
type Condition string

// The conditions.
const (
	Sound       Condition = "ok"
	Damaged     Condition = "damaged"      // a program takes it for missing and replaces it
	OtherFormat Condition = "other_format" // intact, and not ours to read
	OtherCall   Condition = "other_call"   // it was copied or renamed
)

// Record is a record as it was found, for both kinds of output.
type Record struct {
	Kind      string          `json:"kind"`
	URI       string          `json:"uri"`
	Bytes     int64           `json:"bytes"`
	Modified  time.Time       `json:"modified"` // by the store's clock
	Condition Condition       `json:"condition"`
	Problem   string          `json:"problem,omitempty"`
	Header    json.RawMessage `json:"header,omitempty"`
	Value     *dynamic.JSON   `json:"value,omitempty"` // of the body: input, output or error
	Content   *Content        `json:"content,omitempty"`
	Session   *Session        `json:"session,omitempty"`
	Lease     *Lease          `json:"lease,omitempty"`
	Code      *Code           `json:"code,omitempty"`

	Failure     *record.FuncError `json:"-"` // what the body of an error says
	bodyProblem error             // in decoding it
}

// recordKinds are the records of a call that have a first line with a hash.
var recordKinds = map[string]record.Kind{
	"result": record.KindResult, "invocation": record.KindInvocation, "error": record.KindError, "lease": record.KindLease,
}

// readRecord reads a record and what can be read of it if it is damaged. The
// error is the store's. MemoKey is what the record must name; "" asks nothing.
func readRecord(ctx context.Context, store *blob.Store, key string, kind record.Kind, memoKey string) (Record, error) {
	found, err := record.Fetch(ctx, store, key, kind)
	if err != nil && !errors.Is(err, record.ErrDamaged) && !isFormat(err) {
		return Record{}, err
	}
	view := Record{Kind: string(kind), URI: store.URI(key), Bytes: found.Info.Size, Modified: found.Info.ModTime, Condition: Sound}
	switch {
	case err == nil:
		view.fill(ctx, found.Header, found.Body)
		if memoKey != "" {
			_, err = record.Check(found.Header, memoKey)
		}
	case len(found.Data) > 0:
		view.salvage(ctx, found.Data)
	}
	view.judge(err)
	view.Code = view.madeBy()
	return view, nil
}

func (v *Record) sound() bool { return v != nil && v.Condition == Sound }

// judge turns what is wrong into a condition.
func (v *Record) judge(err error) {
	switch {
	case err == nil && v.bodyProblem == nil:
		return
	case err == nil:
		err = &record.FormatError{Format: record.Format, Reason: "its body does not decode"}
	}
	v.Problem = err.Error()
	_, format := errors.AsType[*record.FormatError](err)
	_, foreign := errors.AsType[*record.ForeignError](err)
	switch {
	case format:
		v.Condition = OtherFormat
	case foreign:
		v.Condition = OtherCall
	default:
		v.Condition = Damaged
		if v.Bytes == 0 {
			v.Problem = "the record is damaged: it is empty"
		}
	}
	if v.bodyProblem != nil {
		v.Problem += "; of its body, " + v.bodyProblem.Error()
	}
}

// fill takes over a header and a body. A body that does not decode is shown as
// far as it does.
func (v *Record) fill(ctx context.Context, header, body []byte) {
	if json.Valid(header) {
		v.Header = bytes.Clone(header)
	}
	if failure, err := record.DecodeFuncError(body); err == nil && v.Kind == string(record.KindError) {
		v.Failure = &failure
	}
	if len(body) > 0 {
		value, err := dynamic.Decode(ctx, body)
		v.Value = &dynamic.JSON{Value: value}
		if !errors.Is(err, dynamic.ErrTooLarge) { // which says nothing against the record
			v.bodyProblem = err
		}
	}
}

// salvage finds header and body by the ends of lines, whatever line 1 says.
func (v *Record) salvage(ctx context.Context, data []byte) {
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	header, body, _ := bytes.Cut(rest, []byte("\n"))
	v.fill(ctx, header, body)
}

// Into decodes the header as far as it has what v asks for.
func (v *Record) Into(header any) {
	if len(v.Header) > 0 {
		_ = json.Unmarshal(v.Header, header) // a damaged header leaves fields empty
	}
}

// types are the whole types of a call, as its invocation has them; empty where
// it does not say.
func (v *Record) types() schema.Types {
	var header record.InvocationHeader
	v.Into(&header)
	types, err := schema.Parse(header.Types)
	if err != nil {
		return schema.Types{}
	}
	return types
}

// typed tells the value what its type is.
func (v *Record) typed(of schema.Graph) {
	if v != nil && v.Value != nil {
		v.Value.Value = dynamic.Typed(v.Value.Value, of)
	}
}

// Warning says what is wrong with a record, for people; "" where nothing is.
func (v *Record) Warning() string {
	if v.Condition == Sound {
		return ""
	}
	text := strings.ToUpper(v.Problem[:1]) + v.Problem[1:] + "."
	if v.Condition == Damaged {
		text += "\nPrograms take it for missing, and replace it. What follows is what can still be read."
	}
	return text
}

// Summary is a record's kind, size and age in a line.
func (v *Record) Summary(now time.Time) string {
	return fmt.Sprintf("%s, %s, %s", v.Kind, text.Bytes(v.Bytes), text.Ago(v.Modified, now))
}
