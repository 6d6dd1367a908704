// Command pipeline goes from files to a report: it cleans each file of readings, joins
// them with the stations, trains a model in a process of its own, scores 2,000 heights
// with it, one call each, and writes a page. Run it again: all is there. Change a file:
// what depends on it is computed anew, and nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

var (
	Clean = mops.Define("examples/pipeline/clean", clean)
	Join  = mops.Define("examples/pipeline/join", join)
	Train = mops.Define("examples/pipeline/train", train, mops.On(subprocess.New()))
	Score = mops.Define("examples/pipeline/score", score)
)

func main() {
	mops.Main(func(ctx context.Context) error {
		if len(os.Args) != 3 {
			return errors.New("usage: pipeline FOLDER REPORT.html, where the folder has stations.csv and readings-*.csv")
		}
		report, err := run(ctx, os.Args[1])
		if err != nil {
			return err
		}
		return write(report, os.Args[2])
	})
}

const heights = 2000

// Report is what the page shows.
type Report struct {
	Files  []File
	Model  Model
	Scores []float64 // degrees at each height, from 0 metres on
}

// File is what became of one file.
type File struct {
	Name string
	Readings
}

func run(ctx context.Context, folder string) (r Report, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "readings-*.csv"))
	if err != nil {
		return r, err
	}
	if len(paths) == 0 {
		return r, fmt.Errorf("there is no readings-*.csv in %s", folder)
	}
	var files []mops.Source
	for _, path := range paths {
		files = append(files, mops.File(path))
	}
	cleaned, err := Clean.All(ctx, files)
	if err != nil {
		return r, err
	}
	for i, path := range paths {
		r.Files = append(r.Files, File{filepath.Base(path), cleaned[i]})
	}
	table, err := Join.Call(ctx, Parts{mops.File(filepath.Join(folder, "stations.csv")), cleaned})
	if err != nil {
		return r, err
	}
	if r.Model, err = Train.Call(ctx, table); err != nil {
		return r, err
	}
	var places []Place
	for metres := range heights {
		places = append(places, Place{r.Model, float64(metres)})
	}
	r.Scores, err = Score.All(ctx, places)
	return r, err
}

var page = template.Must(template.New("report").Parse(`<!doctype html>
<meta charset="utf-8">
<title>Weather</title>
<h1>Weather</h1>
<table>
<tr><th>file</th><th>readings</th><th>dropped</th></tr>
{{range .Files}}<tr><td>{{.Name}}</td><td>{{.Kept}}</td><td>{{.Dropped}}</td></tr>
{{end}}</table>
<p>degrees = {{printf "%.3f" .Model.Base}} + {{printf "%.4f" .Model.PerMetre}} for each metre</p>
<svg viewBox="0 -50 {{len .Scores}} 100" width="800" height="200" preserveAspectRatio="none">
<polyline fill="none" stroke="black" points="{{range $metres, $degrees := .Scores}}{{$metres}},{{printf "%.2f" $degrees}} {{end}}" transform="scale(1,-1)"/>
</svg>
`))

func write(r Report, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(page.Execute(file, r), file.Close())
}
