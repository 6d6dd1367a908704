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
	body, _, err := p.Store.Get(ctx, p.result(), blob.Range{Length: headerSize})
	if err != nil {
		return header, err
	}
	beginning, err := io.ReadAll(io.LimitReader(body, headerSize))
	body.Close()
	if err == nil {
		if text, ok := record.Start(record.KindResult, beginning); ok {
			if _, err := record.Check(text, p.hash()); err == nil {
				return header, record.Record{Header: text}.Into(&header)
			}
		}
	}
	found, err := p.Result(ctx) // which knows what is wrong
	if err != nil {
		return header, err
	}
	return header, found.Into(&header)
}
