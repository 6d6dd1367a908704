package memokey

import (
	"strings"
	"sync"
	"testing"
)

var parts = Parts{
	Name: "forecast/train", Version: "2026-04-rate", Calls: []string{"forecast/clean@3", "util/read@0"},
	In: "1111", Out: "2222", Input: []byte("\xa1\x61N\x01"),
}

func TestKeyDependsOnEveryPart(t *testing.T) {
	seen := map[Key]string{parts.Key(): "the original"}
	for what, change := range map[string]func(*Parts){
		"name":       func(p *Parts) { p.Name += "x" },
		"version":    func(p *Parts) { p.Version = "" },
		"no calls":   func(p *Parts) { p.Calls = nil },
		"one call":   func(p *Parts) { p.Calls = p.Calls[:1] },
		"more calls": func(p *Parts) { p.Calls = append(p.Calls[:2:2], "") },
		"in":         func(p *Parts) { p.In = "3333" },
		"out":        func(p *Parts) { p.Out = "3333" },
		"swapped":    func(p *Parts) { p.In, p.Out = p.Out, p.In },
		"input":      func(p *Parts) { p.Input = []byte("\xa1\x61N\x02") },
		"no input":   func(p *Parts) { p.Input = nil },
		// The same bytes in a row, cut elsewhere.
		"name and version":  func(p *Parts) { p.Name, p.Version = "forecast/train2026", "-04-rate" },
		"fingerprints":      func(p *Parts) { p.In, p.Out = "11112", "222" },
		"calls":             func(p *Parts) { p.Calls = []string{"forecast/clean@3util/read@0"} },
		"last call and in":  func(p *Parts) { p.Calls, p.In = []string{"forecast/clean@3"}, "util/read@01111" },
		"out and the input": func(p *Parts) { p.Out, p.Input = "2222\xa1", []byte("\x61N\x01") },
	} {
		p := parts
		change(&p)
		key := p.Key()
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have one key", what, other)
		}
		seen[key] = what
	}
}

func TestKeyDoesNotDependOnTheOrderOfCalls(t *testing.T) {
	p := parts
	p.Calls = []string{parts.Calls[1], parts.Calls[0]}
	if p.Key() != parts.Key() || p.Calls[0] != parts.Calls[1] {
		t.Error("the order of calls counts, or was changed")
	}
}

func TestHasherIsForMany(t *testing.T) {
	h := NewHasher(parts)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := parts
			p.Input = []byte(strings.Repeat("x", i*100))
			for range 100 {
				if h.Key(p.Input) != p.Key() {
					t.Error("keys made at once differ")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestParseKey(t *testing.T) {
	key := parts.Key()
	if got, err := ParseKey(key.String()); err != nil || got != key {
		t.Errorf("got %v, %v", got, err)
	}
	for _, s := range []string{"", key.String()[1:], key.String() + "0", strings.ToUpper(key.String()), "g" + key.String()[1:]} {
		if _, err := ParseKey(s); err == nil {
			t.Errorf("%q was taken for a key", s)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	h := NewHasher(parts)
	input := make([]byte, 300)
	for b.Loop() {
		h.Key(input)
	}
}
