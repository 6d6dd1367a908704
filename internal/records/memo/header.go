package memo

import (
	"context"
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
	header, ok, err := p.Glance(ctx)
	if ok || err != nil {
		return header, err
	}
	found, err := p.Result(ctx) // which knows what is wrong
	if err != nil {
		return header, err
	}
	return header, found.Into(&header)
}

// Glance is ResultHeader for those who can do without: ok is false if the
// beginning of the result is not that of a record of this call, with a header of
// usual size.
func (p Place) Glance(ctx context.Context) (header record.ResultHeader, ok bool, err error) {
	body, _, err := p.Store.Get(ctx, p.result(), blob.Range{Length: headerSize})
	if err != nil {
		return header, false, err
	}
	defer body.Close()
	beginning, err := io.ReadAll(io.LimitReader(body, headerSize))
	if err != nil {
		return header, false, nil
	}
	text, ok := record.Start(record.KindResult, beginning)
	if !ok {
		return header, false, nil
	}
	if _, err := record.Check(text, p.hash()); err != nil {
		return header, false, nil
	}
	return header, true, record.Record{Header: text}.Into(&header)
}
