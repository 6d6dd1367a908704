package codec

import (
	"flag"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The bytes and fingerprints of these values are in memo keys and records. A
// difference means that programs lose all stored results when they upgrade.
func TestGolden(t *testing.T) {
	one := 1
	var lines strings.Builder
	add := func(name string, v any) {
		for _, side := range []Side{Input, Output} {
			c := codecFor(t, reflect.TypeOf(v), side, forms(t))
			data, err := c.Encode(t.Context(), reflect.ValueOf(v))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			fmt.Fprintf(&lines, "%s %s %s %x\n", name, side.root(), c.Fingerprint(), data)
		}
	}
	add("bool", true)
	add("int", -1000)
	add("int8", int8(5))
	add("uint64", uint64(1<<63))
	add("float64", 0.1)
	add("float64-short", 1.5)
	add("float32", float32(3.25))
	add("string", "grüezi")
	add("bytes", []byte{1, 2, 3})
	add("bytes-nil", []byte(nil))
	add("array", [2]int{1, 2})
	add("byte-array", [2]byte{1, 2})
	add("slice-nil", []string(nil))
	add("map", map[string]int{"b": 1, "a": 2, "ccc": 3})
	add("map-nil", map[string]int(nil))
	add("pointer", &one)
	add("pointer-nil", (*int)(nil))
	add("struct", embedding{Embedded{1, 2}, unexported{&one}, "own"})
	add("tags", tagged{A: 1, B: "b", D: []int{4}})
	add("time", time.Date(2026, 11, 23, 14, 12, 1, 500, time.UTC))
	add("time-zero", time.Time{})
	add("time-pointers", []*time.Time{nil, {}})
	add("duration", time.Minute)
	add("bigint", *new(big.Int).Lsh(big.NewInt(1), 70))
	add("addr", netip.MustParseAddr("192.0.2.1"))
	add("text", textValue{"x"})
	add("cbor", cborValue{3})
	add("recursive", twin{Name: "top", Left: &twin{Name: "left"}})
	add("interface", scene{Main: &disc{1}, All: map[string]form2D{"s": square{2}}})
	if v := (withKept{N: 3}); true {
		c := codecFor(t, reflect.TypeOf(v), Input, nil)
		data, err := c.Encode(t.Context(), reflect.ValueOf(v))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "kept In %s %x\n", c.Fingerprint(), data)
	}

	const file = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(lines.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Errorf("line %d of %s differs:\ngot  %s\nwant %s", i+1, file, got[min(i, len(got)-1)], line)
		}
	}
	if len(got) != strings.Count(string(want), "\n")+1 {
		t.Errorf("%d lines, and %s has %d", len(got), file, strings.Count(string(want), "\n")+1)
	}
}
