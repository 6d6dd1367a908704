package code

import (
	"slices"
	"testing"
)

func TestChangeSaysBothPlaces(t *testing.T) {
	const in = "example.com/forecast."
	before := &Fingerprint{Hash: "a", Package: "example.com/forecast", Decls: []Decl{
		{Kind: Func, Name: in + "clean", File: "clean.go", Line: 10, Hash: "1"},
		{Kind: Func, Name: in + "same", File: "same.go", Line: 1, Hash: "2"},
		{Kind: Const, Name: in + "rate", File: "rate.go", Line: 3, Hash: "3"},
		{Kind: Var, Name: in + "old", File: "old.go", Line: 4, Hash: "4"},
		{Kind: Module, Name: "gonum.org/v1/gonum", Version: "gonum.org/v1/gonum@v0.15.0", Hash: "5"},
		{Kind: File, Name: "example.com/forecast/model.bin", File: "model.bin", Hash: "6"},
	}}
	after := &Fingerprint{Hash: "b", Package: before.Package, Decls: []Decl{
		{Kind: Func, Name: in + "clean", File: "clean.go", Line: 12, Hash: "11"},
		{Kind: Func, Name: in + "same", File: "moved.go", Line: 7, Hash: "2"},
		{Kind: Const, Name: in + "rate", File: "rate.go", Line: 3, Hash: "13"},
		{Kind: Type, Name: in + "fresh", File: "fresh.go", Line: 5, Hash: "14"},
		{Kind: Module, Name: "gonum.org/v1/gonum", Version: "gonum.org/v1/gonum@v0.17.0", Hash: "15"},
		{Kind: File, Name: "example.com/forecast/model.bin", File: "model.bin", Hash: "16"},
	}}
	var got []string
	for _, c := range Diff(before, after) {
		got = append(got, c.Both("there"))
	}
	want := []string{
		"clean changed (clean.go:12, there clean.go:10)",
		"fresh is new (fresh.go:5)",
		"gonum.org/v1/gonum changed (gonum.org/v1/gonum@v0.17.0, there gonum.org/v1/gonum@v0.15.0)",
		"model.bin changed (model.bin)",
		"old is gone (there old.go:4)",
		"rate changed (rate.go:3)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	before.Decls = after.Decls
	if got := Diff(before, after)[0].Both("there"); got != "which declaration uses which changed" {
		t.Error(got)
	}
}
