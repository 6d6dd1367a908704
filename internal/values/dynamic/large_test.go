package dynamic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What a program shared in memory stands in a record many times over: a small
// record may be a large value, and a large one more than fits into memory or onto
// a screen. Reading and writing are bounded, and end with their context.

func TestDecodeIsBounded(t *testing.T) {
	data := append([]byte{0x99, 0x07, 0xd0}, make([]byte, 2000)...)
	value, err := decode(t.Context(), data, Whole, 1000)
	list, _ := value.([]any)
	if !errors.Is(err, ErrTooLarge) || len(list) != 1000 {
		t.Fatalf("%d elements, %v", len(list), err)
	}
	if _, missing := list[999].(Missing); !missing || list[998] != int64(0) {
		t.Errorf("it ends with %v", list[998:])
	}
	if _, err := decode(t.Context(), data, Whole, 2001); err != nil {
		t.Errorf("as many as there are: %v", err)
	}
}

func TestDecodeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Decode(ctx, append([]byte{0x99, 0x07, 0xd0}, make([]byte, 2000)...)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestWriteIsBounded(t *testing.T) {
	var tree any = int64(1)
	for range 13 { // 2^13 leaves
		tree = Map{{"L", tree}, {"R", tree}}
	}
	var short, full, ended bytes.Buffer
	Write(t.Context(), &short, tree, Options{})
	if n := bytes.Count(short.Bytes(), []byte("\n")); n != mostLines+1 || !strings.HasSuffix(short.String(), "--full shows all)\n") {
		t.Errorf("%d lines", n)
	}
	Write(t.Context(), &full, tree, Options{Full: true})
	if n := bytes.Count(full.Bytes(), []byte("\n")); n != 2*(1<<13-1) || strings.Contains(full.String(), "--full") {
		t.Errorf("%d lines in full", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	Write(ctx, &ended, tree, Options{Full: true})
	if n := bytes.Count(ended.Bytes(), []byte("\n")); n > 256 {
		t.Errorf("%d lines after the end of the context", n)
	}
}

func TestOneKeyManyTimes(t *testing.T) {
	m := make(Map, 50_000)
	for i := range m {
		m[i] = Entry{"k", int64(i)}
	}
	found := Diff(m, m[:len(m)-1], "In", 10)
	if len(found) != 1 || found[0].Path != fmt.Sprintf("In.k(%d)", len(m)) {
		t.Errorf("%+v", found)
	}
}
