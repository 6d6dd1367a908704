package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/TrilliantHealth/mops-go"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Sums are the totals of all pieces, in order.
type Sums struct {
	By, Sum string
	Totals  []Totals
}

// write makes a file of them, a row for each value.
func write(ctx context.Context, sums Sums) (mops.Source, error) {
	all := map[string]Total{}
	for _, totals := range sums.Totals {
		for key, t := range totals.Of {
			all[key] = Total{all[key].Rows + t.Rows, all[key].Sum + t.Sum}
		}
	}
	folder, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	path := filepath.Join(folder, "sums.parquet")
	table, err := create(path, arrow.NewSchema([]arrow.Field{
		{Name: sums.By, Type: arrow.BinaryTypes.String}, {Name: "rows", Type: arrow.PrimitiveTypes.Int64}, {Name: sums.Sum, Type: arrow.PrimitiveTypes.Float64},
	}, nil))
	if err != nil {
		return mops.Source{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		table.rows.Field(0).(*array.StringBuilder).Append(key)
		table.rows.Field(1).(*array.Int64Builder).Append(all[key].Rows)
		table.rows.Field(2).(*array.Float64Builder).Append(all[key].Sum)
	}
	return mops.File(path), errors.Join(table.endGroup(), table.close())
}

// table is a Parquet file that is written, a group of rows after the other.
type table struct {
	file   *os.File
	rows   *array.RecordBuilder
	writer *pqarrow.FileWriter
}

func create(path string, schema *arrow.Schema) (*table, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	writer, err := pqarrow.NewFileWriter(schema, file, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy)), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &table{file, array.NewRecordBuilder(memory.DefaultAllocator, schema), writer}, nil
}

func (t *table) endGroup() error {
	rows := t.rows.NewRecordBatch()
	defer rows.Release()
	return t.writer.Write(rows)
}

func (t *table) close() error {
	t.rows.Release()
	return t.writer.Close() // which closes the file
}

// sample writes a file to try things with: taxi rides, with remarks that take most of
// its space. It is the same file each time.
func sample(path string, groups, rows int) error {
	table, err := create(path, arrow.NewSchema([]arrow.Field{
		{Name: "city", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "fare", Type: arrow.PrimitiveTypes.Float64},
		{Name: "riders", Type: arrow.PrimitiveTypes.Int64}, {Name: "remark", Type: arrow.BinaryTypes.String},
	}, nil))
	if err != nil {
		return err
	}
	chance := rand.New(rand.NewPCG(1, 2))
	for range groups {
		for range rows {
			city := table.rows.Field(0).(*array.StringBuilder)
			switch n := chance.IntN(100); {
			case n == 0:
				city.AppendNull()
			default:
				city.Append([]string{"Bern", "Lima", "Oslo"}[n%3])
			}
			table.rows.Field(1).(*array.Float64Builder).Append(float64(500+chance.IntN(4000)) / 100)
			table.rows.Field(2).(*array.Int64Builder).Append(int64(1 + chance.IntN(4)))
			table.rows.Field(3).(*array.StringBuilder).Append(fmt.Sprintf("%016x%016x%016x", chance.Uint64(), chance.Uint64(), chance.Uint64()))
		}
		if err := table.endGroup(); err != nil {
			return errors.Join(err, table.close())
		}
	}
	return table.close()
}
