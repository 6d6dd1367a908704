package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Report is what sum makes of all packages. Lists are sorted, largest first.
type Report struct {
	Packages   int
	Total      Package // of all: its Path and its lists are empty
	Biggest    []Package
	Longest    []Function
	Branchiest []Function
	Imported   []Count // by other packages of the tree
	Importing  []Count // of packages, in the tree or not
	Exporting  []Count // of names
	Commented  []Count // percent of lines; of packages with many
}

// Count is something that was counted of a package.
type Count struct {
	Path string
	N    int
}

// many is how many lines a package needs for a share of them to say much.
const many = 500

func sum(_ context.Context, packages []Package) (Report, error) {
	r := Report{Packages: len(packages)}
	importers := map[string]int{}
	known := map[string]bool{}
	for _, p := range packages {
		known[p.Path] = true
	}
	for _, p := range packages {
		r.Total = r.Total.plus(p)
		r.Longest = longest(append(r.Longest, p.Longest...))
		r.Branchiest = branchiest(append(r.Branchiest, p.Branchiest...))
		r.Importing = append(r.Importing, Count{p.Path, len(p.Imports)})
		r.Exporting = append(r.Exporting, Count{p.Path, p.Exported})
		if p.Lines.All >= many {
			r.Commented = append(r.Commented, Count{p.Path, percent(p.Lines.Comments, p.Lines.All)})
		}
		for _, path := range p.Imports {
			if known[path] {
				importers[path]++
			}
		}
	}
	for path, n := range importers {
		r.Imported = append(r.Imported, Count{path, n})
	}
	r.Imported, r.Importing = most(r.Imported), most(r.Importing)
	r.Exporting, r.Commented = most(r.Exporting), most(r.Commented)
	r.Biggest = first(packages, func(a, b Package) int {
		return cmp.Or(cmp.Compare(b.Lines.Code, a.Lines.Code), compare(a.Path, b.Path))
	})
	return r, nil
}

func (p Package) plus(other Package) Package {
	return Package{
		Files: p.Files + other.Files, Lines: p.Lines.plus(other.Lines),
		Functions: p.Functions + other.Functions, Types: p.Types + other.Types,
		Exported: p.Exported + other.Exported, Documented: p.Documented + other.Documented,
		Complexity: p.Complexity + other.Complexity, Generated: p.Generated + other.Generated,
		TestFiles: p.TestFiles + other.TestFiles, TestLines: p.TestLines.plus(other.TestLines),
		Tests: p.Tests + other.Tests,
	}
}

func longest(functions []Function) []Function {
	return first(functions, func(a, b Function) int {
		return cmp.Or(cmp.Compare(b.Lines, a.Lines), compare(a.Name, b.Name), compare(a.Place, b.Place))
	})
}

func branchiest(functions []Function) []Function {
	return first(functions, func(a, b Function) int {
		return cmp.Or(cmp.Compare(b.Complexity, a.Complexity), compare(a.Name, b.Name), compare(a.Place, b.Place))
	})
}

func most(counts []Count) []Count {
	return first(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), compare(a.Path, b.Path))
	})
}

// first are those that come first in an order, in a slice of their own.
func first[T any](all []T, order func(a, b T) int) []T {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, order)
	return sorted[:min(top, len(sorted))]
}

// compare orders import paths as they stand in a folder: a/b before a-c.
func compare(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

func percent(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return (100*part + whole/2) / whole
}
