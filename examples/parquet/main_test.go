package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/mopstest"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// The test binary is its own worker.
func TestMain(m *testing.M) {
	mops.Init()
	os.Exit(m.Run())
}

// readTable reads a whole file, by other means than the program: sums by city, and how
// many rows there are.
func readTable(t *testing.T, ctx context.Context, file parquet.ReaderAtSeeker, rows, sum string) (map[string]Total, int64) {
	t.Helper()
	table, err := pqarrow.ReadTable(ctx, file, nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	all := map[string]Total{}
	for records := array.NewTableReader(table, 0); records.Next(); {
		record := records.RecordBatch()
		city, value := column(record, "city").(*array.String), column(record, sum).(*array.Float64)
		for i := range city.Len() {
			if n := int64(1); city.IsValid(i) {
				if rows != "" {
					n = column(record, rows).(*array.Int64).Value(i)
				}
				all[city.Value(i)] = Total{all[city.Value(i)].Rows + n, all[city.Value(i)].Sum + value.Value(i)}
			}
		}
	}
	return all, table.NumRows()
}

func made(t *testing.T, groups, rows int) (path string, sums map[string]Total) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "rides.parquet")
	if err := sample(path, groups, rows); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sums, n := readTable(t, t.Context(), file, "", "fare")
	if n != int64(groups*rows) || len(sums) != 3 {
		t.Fatalf("the sample has %d rows, and %v", n, sums)
	}
	return path, sums
}

func wantSums(t *testing.T, ctx context.Context, r Report, want map[string]Total) {
	t.Helper()
	data, err := r.Table.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	got, _ := readTable(t, ctx, data.(parquet.ReaderAtSeeker), "rows", "fare")
	if !maps.EqualFunc(got, want, func(a, b Total) bool { return a.Rows == b.Rows && math.Abs(a.Sum-b.Sum) < 1e-3 }) {
		t.Errorf("the result is %v; want %v", got, want)
	}
}

func TestSums(t *testing.T) {
	root := "mem://parquet-sums"
	path, want := made(t, 4, 5000)
	ctx := mopstest.Context(t, mops.Root(root))
	first, err := run(ctx, Question{mops.File(path), "city", "fare"})
	if err != nil {
		t.Fatal(err)
	}
	wantSums(t, ctx, first, want)
	if first.Rows != 20_000 || first.Groups != 4 || first.Read <= 0 || first.Read > first.Size/4 {
		t.Errorf("the report is %+v", first)
	}

	// All is there, and for another column all but the footer is to be computed.
	hits := mopstest.Context(t, mops.Root(root), mops.RequireResults())
	second, err := run(hits, Question{mops.File(path), "city", "fare"})
	if err != nil || second.Table.Hash() != first.Table.Hash() {
		t.Errorf("the second run: %v, %v", second, err)
	}
	if _, err := run(hits, Question{mops.File(path), "city", "riders"}); !errors.Is(err, mops.ErrNoResult) || !strings.Contains(err.Error(), "examples/parquet/add") {
		t.Errorf("another column: %v", err)
	}
}

// Workers elsewhere fetch their pieces of the file, and nothing else of it.
func TestWorkersFetchTheirPieces(t *testing.T) {
	root, proxy := emulator.S3(t).Behind(t)
	var fetched atomic.Int64
	proxy.Through(counting{&fetched})
	path, want := made(t, 4, 20_000)
	ctx := mopstest.Context(t, mops.Root(root), mops.On(subprocess.New()))
	report, err := run(ctx, Question{mops.File(path), "city", "fare"})
	if err != nil {
		t.Fatal(err)
	}
	got := fetched.Load()
	t.Logf("the file has %d bytes; its pieces that were read have %d; %d bytes came from the store, records included", report.Size, report.Read, got)
	if got < report.Read || got > report.Read+report.Size/20 || got > report.Size/4 {
		t.Error("that is more than the pieces, or less")
	}
	wantSums(t, ctx, report, want)
}

// counting counts what a server sends of what it was asked for.
type counting struct{ bytes *atomic.Int64 }

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == http.MethodGet {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(response.Body, c), response.Body}
	}
	return response, err
}

func (c counting) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return len(p), nil
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	path, _ := made(t, 1, 10)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("city,fare\nOslo,1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	nested := filepath.Join(t.TempDir(), "nested.parquet")
	table, err := create(nested, arrow.NewSchema([]arrow.Field{{Name: "place", Type: arrow.StructOf(arrow.Field{Name: "city", Type: arrow.BinaryTypes.String})}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	table.rows.Field(0).(*array.StructBuilder).Append(true)
	table.rows.Field(0).(*array.StructBuilder).FieldBuilder(0).(*array.StringBuilder).Append("Oslo")
	if err := errors.Join(table.endGroup(), table.close()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, by, sum, want string }{
		{path, "town", "fare", `there is no column "town"; there are city, fare, riders, remark`},
		{path, "riders", "fare", `the column "riders": values of *array.Int64 are no strings`},
		{path, "city", "remark", `the column "remark": cannot add values of *array.String`},
		{nested, "place.city", "place.city", `the column "place.city": values of <nil> are no strings`},
		{text, "city", "fare", "is no Parquet file that can be read"},
		{path + "x", "city", "fare", "there is no such file"},
	} {
		if _, err := run(mopstest.Context(t), Question{mops.File(c.path), c.by, c.sum}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s by %s of %s: got %v; want %s", c.sum, c.by, c.path, err, c.want)
		}
	}
}
