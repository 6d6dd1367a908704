package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Footer is what a file says of itself.
type Footer struct {
	Groups int
	Read   int64 // bytes, to know it
}

func groups(ctx context.Context, table mops.Source) (f Footer, err error) {
	r := &ranges{ctx: ctx, of: table}
	reader, err := r.open()
	if err != nil {
		return f, err
	}
	defer reader.Close()
	return Footer{reader.NumRowGroups(), r.read.Load()}, nil
}

// Question is what is asked of a table.
type Question struct {
	Table   mops.Source
	By, Sum string // columns, of strings and of numbers
}

// Piece is the part of it that one call answers.
type Piece struct {
	Question
	Group int
}

// Totals are the sums of a piece, by value. A row that lacks one of the two counts for
// nothing but a row.
type Totals struct {
	Rows int64
	Of   map[string]Total
	Read int64 // bytes of the file
}

type Total struct {
	Rows int64
	Sum  float64
}

func add(ctx context.Context, piece Piece) (t Totals, err error) {
	r := &ranges{ctx: ctx, of: piece.Table}
	reader, err := r.open()
	if err != nil {
		return t, err
	}
	defer reader.Close()
	var columns []int
	schema := reader.MetaData().Schema
	for _, name := range []string{piece.By, piece.Sum} {
		column := schema.ColumnIndexByName(name)
		if column < 0 {
			var names []string
			for i := range schema.NumColumns() {
				names = append(names, schema.Column(i).Path())
			}
			return t, mops.Final(fmt.Errorf("there is no column %q; there are %s", name, strings.Join(names, ", ")))
		}
		columns = append(columns, column)
	}
	typed, err := pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{BatchSize: 64 << 10}, memory.DefaultAllocator)
	if err != nil {
		return t, err
	}
	records, err := typed.GetRecordReader(ctx, columns, []int{piece.Group})
	if err != nil {
		return t, err
	}
	defer records.Release()
	t.Of = map[string]Total{}
	for records.Next() {
		record := records.RecordBatch()
		by, sum := column(record, piece.By), column(record, piece.Sum)
		keys, ok := by.(*array.String)
		if !ok {
			return t, mops.Final(fmt.Errorf("the column %q: values of %T are no strings", piece.By, by))
		}
		value, err := numbers(sum)
		if err != nil {
			return t, mops.Final(fmt.Errorf("the column %q: %w", piece.Sum, err))
		}
		t.Rows += record.NumRows()
		for i := range keys.Len() {
			if keys.IsNull(i) || sum.IsNull(i) {
				continue
			}
			total := t.Of[keys.Value(i)]
			t.Of[strings.Clone(keys.Value(i))] = Total{total.Rows + 1, total.Sum + value(i)}
		}
	}
	t.Read = r.read.Load()
	return t, records.Err()
}

// column is nil for a column within another one.
func column(record arrow.RecordBatch, name string) arrow.Array {
	for _, i := range record.Schema().FieldIndices(name) {
		return record.Column(i)
	}
	return nil
}

func numbers(column arrow.Array) (func(i int) float64, error) {
	switch column := column.(type) {
	case *array.Float64:
		return column.Value, nil
	case *array.Int64:
		return func(i int) float64 { return float64(column.Value(i)) }, nil
	case *array.Int32:
		return func(i int) float64 { return float64(column.Value(i)) }, nil
	}
	return nil, fmt.Errorf("cannot add values of %T", column)
}

// ranges reads a source at any place, and counts. From a store on another machine each
// read fetches what it asks for and no more.
type ranges struct {
	ctx  context.Context // of the call: io.ReaderAt has no place for it
	of   mops.Source
	read atomic.Int64
}

func (r *ranges) ReadAt(p []byte, at int64) (int, error) {
	part, err := r.of.OpenRange(r.ctx, at, int64(len(p)))
	if err != nil {
		return 0, err
	}
	defer part.Close()
	n, err := io.ReadFull(part, p)
	r.read.Add(int64(n))
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

func (r *ranges) open() (*file.Reader, error) {
	reader, err := file.NewParquetReader(io.NewSectionReader(r, 0, r.of.Size()))
	if err != nil {
		return nil, fmt.Errorf("%s is no Parquet file that can be read: %w", r.of, err)
	}
	return reader, nil
}
