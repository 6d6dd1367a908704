package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/TrilliantHealth/mops-go"
)

// Readings is a file without what cannot be a reading. The rows are a file, too: a
// pipeline passes it on without reading it.
type Readings struct {
	Rows          mops.Source // station, degrees
	Kept, Dropped int
}

func clean(ctx context.Context, raw mops.Source) (r Readings, err error) {
	rows, err := readTable(ctx, raw, "station", "degrees")
	if err != nil {
		return r, err
	}
	var kept [][]string
	for _, row := range rows {
		if _, err := strconv.ParseFloat(row[1], 64); err != nil || row[0] == "" {
			r.Dropped++
			continue
		}
		kept = append(kept, row)
	}
	r.Kept = len(kept)
	r.Rows, err = writeTable(ctx, "station,degrees", kept)
	return r, err
}

// Parts is what is joined.
type Parts struct {
	Stations mops.Source // station, metres
	Readings []Readings
}

// join puts the height of its station beside each reading.
func join(ctx context.Context, parts Parts) (mops.Source, error) {
	stations, err := readTable(ctx, parts.Stations, "station", "metres")
	if err != nil {
		return mops.Source{}, err
	}
	metres := map[string]string{}
	for _, row := range stations {
		metres[row[0]] = row[1]
	}
	var joined [][]string
	for _, readings := range parts.Readings {
		rows, err := readTable(ctx, readings.Rows, "station", "degrees")
		if err != nil {
			return mops.Source{}, err
		}
		for _, row := range rows {
			height, known := metres[row[0]]
			if !known {
				return mops.Source{}, fmt.Errorf("the station %q has readings and is not among the stations", row[0])
			}
			joined = append(joined, []string{height, row[1]})
		}
	}
	return writeTable(ctx, "metres,degrees", joined)
}

// Model says how warm it is at a height.
type Model struct{ Base, PerMetre float64 }

// train fits a line.
func train(ctx context.Context, table mops.Source) (m Model, err error) {
	rows, err := readTable(ctx, table, "metres", "degrees")
	if err != nil {
		return m, err
	}
	var n, sumX, sumY, sumXX, sumXY float64
	for _, row := range rows {
		x, errX := strconv.ParseFloat(row[0], 64)
		y, errY := strconv.ParseFloat(row[1], 64)
		if err := errors.Join(errX, errY); err != nil {
			return m, err
		}
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	spread := n*sumXX - sumX*sumX
	if spread == 0 {
		return m, mops.Final(fmt.Errorf("%v readings of one height make no line", n))
	}
	m.PerMetre = (n*sumXY - sumX*sumY) / spread
	m.Base = (sumY - m.PerMetre*sumX) / n
	return m, nil
}

// Place is what is scored.
type Place struct {
	Model  Model
	Metres float64
}

func score(_ context.Context, p Place) (degrees float64, err error) {
	return p.Model.Base + p.Model.PerMetre*p.Metres, nil
}

// readTable reads two columns, which the first line has to name.
func readTable(ctx context.Context, table mops.Source, first, second string) ([][]string, error) {
	file, err := table.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = 2
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[0][0] != first || rows[0][1] != second {
		return nil, fmt.Errorf("a table should begin with %s,%s", first, second)
	}
	return rows[1:], nil
}

func writeTable(ctx context.Context, names string, rows [][]string) (mops.Source, error) {
	folder, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	path := filepath.Join(folder, "table.csv")
	file, err := os.Create(path)
	if err != nil {
		return mops.Source{}, err
	}
	_, err = fmt.Fprintln(file, names)
	err = errors.Join(err, csv.NewWriter(file).WriteAll(rows), file.Close())
	return mops.File(path), err
}
