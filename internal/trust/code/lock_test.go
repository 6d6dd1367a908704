package code

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func sample() Lock {
	return Lock{Functions: []Locked{
		{Name: "forecast/clean", Version: "1", Platform: "linux/amd64", Fingerprint: Fingerprint{Hash: "aa", Go: "go1.26", Package: "example.com/forecast"}},
		{
			Name: "forecast/train", Version: "2", Platform: "linux/amd64",
			Same: []Same{{Hash: "99", Date: "2026-11-29", Reason: "only the \"log\",\n`really`"}},
			Fingerprint: Fingerprint{Hash: "bb", Varies: true, Go: "go1.26", Package: "example.com/forecast", Decls: []Decl{
				{Kind: Func, Name: "example.com/forecast.clean", File: "clean.go", Line: 12, Hash: "1"},
				{Kind: Import, Name: `example.com/forecast.import "embed"`, File: "train.go", Line: 3, Hash: "2"},
				{Kind: File, Name: "example.com/forecast/model file.bin", File: "model file.bin", Hash: "3"},
				{Kind: Module, Name: "gonum.org/v1/gonum", Version: "gonum.org/v1/gonum@v0.17.0", Hash: "4"},
				{Kind: Go, Name: "go", Version: "go1.26", Hash: "go1.26"},
			}},
		},
	}}
}

func TestLock(t *testing.T) {
	want := sample()
	text := want.String()
	if strings.Contains(text, "`") {
		t.Errorf("a lock stands between back quotes:\n%s", text)
	}
	got, err := ParseLock(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, err := ParseLock(strings.ReplaceAll(text, "\n", "\r\n")); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("with the line ends of Windows: %+v, %v", got, err)
	}
}

func TestAccepts(t *testing.T) {
	train := &sample().Functions[1]
	for hash, want := range map[string]bool{"bb": true, "99": true, "aa": false, "": false} {
		if got := train.Accepts(hash); got != want {
			t.Errorf("%q: %v", hash, got)
		}
	}
}

func TestBadLock(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "is not how a lock begins"},
		"something else":   {"hello", "is not how a lock begins"},
		"newer":            {"mops lock 2\n", "a newer release of mops wrote this lock"},
		"conflict":         {"mops lock 1\n\n<<<<<<< HEAD\n", "stands before the first function"},
		"conflict inside":  {"mops lock 1\n\nfunction f\n<<<<<<< HEAD\ncode a\n", "line 4 of the lock: \"<<<<<<<\" with 2 words"},
		"no code":          {"mops lock 1\nfunction f\nversion 1\n", "no version or no code of function f"},
		"twice":            {"mops lock 1\nfunction f\nversion 1\ncode a\nfunction f\nversion 1\ncode a\n", "function f twice"},
		"no end":           {"mops lock 1\nfunction \"f\n", "does not end"},
		"unknown":          {"mops lock 1\nfunction f\nfoo bar\n", `"foo" with 2 words is nothing that a lock says`},
		"before the first": {"mops lock 1\ncode a\n", "before the first function"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseLock(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if newer := errors.Is(err, ErrNewer); newer != (name == "newer") {
				t.Errorf("newer: %v", newer)
			}
		})
	}
}

func FuzzLock(f *testing.F) {
	f.Add(sample().String())
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLock(text)
		if err != nil {
			return
		}
		again, err := ParseLock(l.String())
		if err != nil || l.String() != again.String() {
			t.Errorf("%v\n%s\n%s", err, l, again)
		}
	})
}
