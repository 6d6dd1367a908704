package memo

import (
	"context"
	"encoding/json"
	"io"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// headerSize is within how many bytes of a result almost every header ends.
const headerSize = 64 << 10

// ResultHeader reads the header of a result without the output, which may be
// large. So nothing proves that the record is sound: it is for those who only
// look. The error is one of Result.
func (p Place) ResultHeader(ctx context.Context) (header record.ResultHeader, err error) {
	text, err := p.Header(ctx, record.KindResult)
	if err != nil {
		return header, err
	}
	return header, record.Record{Header: text}.Into(&header)
}

// Header is the text of the header of a result, an invocation or an error; see
// ResultHeader.
func (p Place) Header(ctx context.Context, kind record.Kind) ([]byte, error) {
	key := p.keyOf(kind)
	text, ok, err := p.glance(ctx, key, kind)
	if ok && json.Valid(text) || err != nil {
		return text, err
	}
	found, err := p.read(blob.Fresh(ctx), key, kind) // which knows what is wrong
	return found.Header, err
}

func (p Place) keyOf(kind record.Kind) string {
	switch kind {
	case record.KindInvocation:
		return p.invocation()
	case record.KindError:
		return p.failure()
	}
	return p.result()
}

// Glance is ResultHeader for those who can do without: ok is false if the
// beginning of the result is not that of a record of this call, with a header of
// usual size.
func (p Place) Glance(ctx context.Context) (header record.ResultHeader, ok bool, err error) {
	text, ok, err := p.glance(ctx, p.result(), record.KindResult)
	if ok {
		err = record.Record{Header: text}.Into(&header)
	}
	return header, ok, err
}

func (p Place) glance(ctx context.Context, key string, kind record.Kind) (header []byte, ok bool, err error) {
	body, _, err := p.Store.Get(ctx, key, blob.Range{Length: headerSize})
	if err != nil {
		return nil, false, err
	}
	defer body.Close()
	beginning, err := io.ReadAll(io.LimitReader(body, headerSize))
	if err != nil {
		return nil, false, nil
	}
	header, ok = record.Start(kind, beginning)
	if !ok {
		return nil, false, nil
	}
	if _, err := record.Check(header, p.hash()); err != nil {
		return nil, false, nil
	}
	return header, true, nil
}
