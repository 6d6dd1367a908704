// Command command fits a line through a table by a Python script, as a memoized
// function. Change the script, the table or the name of a column: the line is fitted
// again. Change them back: the result is there.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/command"
)

// Fit is what decides a line: the script, with all files of its folder, is as much a
// part of it as the table.
type Fit struct {
	Script command.Script
	Table  mops.Source // comma-separated, with names in its first line
	X, Y   string      // names of columns
}

// Line is what the script printed, and a file that it wrote.
type Line struct {
	Slope, Intercept float64
	Points           int
	Residuals        mops.Source
}

var FitLine = mops.Define("examples/command/fit-line", fitLine)

// tooFewPoints is how the script exits if there is no line.
const tooFewPoints = 3

func fitLine(ctx context.Context, fit Fit) (Line, error) {
	table, err := fit.Table.Path(ctx)
	if err != nil {
		return Line{}, err
	}
	question := struct {
		Table string `json:"table"`
		X     string `json:"x"`
		Y     string `json:"y"`
	}{table, fit.X, fit.Y}
	var answer struct {
		Slope, Intercept float64
		Points           int
	}
	err = fit.Script.Run(ctx, question, &answer)
	if failed, exited := errors.AsType[*command.Error](err); exited && failed.Code == tooFewPoints {
		return Line{}, mops.Final(err) // another try would find no more points
	}
	if err != nil {
		return Line{}, err
	}
	folder, err := mops.OutDir(ctx) // where the script ran
	return Line{answer.Slope, answer.Intercept, answer.Points, mops.File(filepath.Join(folder, "residuals.csv"))}, err
}

func main() {
	mops.Main(func(ctx context.Context) error {
		if len(os.Args) != 3 {
			return errors.New("usage: command FOLDER-WITH-FIT.PY TABLE.CSV")
		}
		script := command.Script{Interpreter: []string{"python3"}, Files: mops.Dir(os.Args[1]), Name: "fit.py"}
		line, info, err := FitLine.Do(ctx, Fit{Script: script, Table: mops.File(os.Args[2]), X: "x", Y: "y"})
		if err != nil {
			return err
		}
		fmt.Printf("y = %g x + %g through %d points (%s)\n", line.Slope, line.Intercept, line.Points, info.Outcome)
		return nil
	})
}
