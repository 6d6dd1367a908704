// Command parquet adds up a column of a Parquet file by the values of another one, a
// call for each row group. A call reads the footer of the file and its own piece of
// two columns. Run it again: it reads results only.
//
// It is a module of its own, so that who imports mops has nothing to do with Arrow.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go"
)

var (
	Groups = mops.Define("examples/parquet/groups", groups)
	Add    = mops.Define("examples/parquet/add", add)
	Write  = mops.Define("examples/parquet/write", write)
)

func main() {
	mops.Main(func(ctx context.Context) error {
		switch {
		case len(os.Args) == 3 && os.Args[1] == "sample":
			return sample(os.Args[2], 8, 50_000)
		case len(os.Args) != 5:
			return errors.New("usage: parquet FILE BY SUM RESULT, names of columns in the middle; or parquet sample FILE")
		}
		report, err := run(ctx, Question{mops.File(os.Args[1]), os.Args[2], os.Args[3]})
		if err != nil {
			return err
		}
		fmt.Printf("%d rows in %d groups; their sums took %.1f %% of %d bytes\n",
			report.Rows, report.Groups, 100*float64(report.Read)/float64(report.Size), report.Size)
		return report.Table.CopyTo(ctx, os.Args[4])
	})
}

// Report is a table, and what it took.
type Report struct {
	Table      mops.Source
	Rows       int64
	Groups     int
	Read, Size int64 // bytes of the file
}

func run(ctx context.Context, q Question) (r Report, err error) {
	footer, err := Groups.Call(ctx, q.Table)
	if err != nil {
		return r, err
	}
	r = Report{Groups: footer.Groups, Read: footer.Read, Size: q.Table.Size()}
	var pieces []Piece
	for group := range footer.Groups {
		pieces = append(pieces, Piece{q, group})
	}
	totals, err := Add.All(ctx, pieces)
	if err != nil {
		return r, err
	}
	for _, t := range totals {
		r.Rows += t.Rows
		r.Read += t.Read
	}
	r.Table, err = Write.Call(ctx, Sums{q.By, q.Sum, totals})
	return r, err
}
