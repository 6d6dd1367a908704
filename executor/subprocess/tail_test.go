package subprocess

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// feed prints text in chunks of n bytes.
func feed(text string, n int) *tail {
	t := new(tail)
	for chunk := range slices.Chunk([]byte(text), n) {
		t.add(chunk)
	}
	return t
}

func TestTail(t *testing.T) {
	var numbered strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&numbered, "line %d\n", i)
	}
	stack := strings.Repeat("goroutine 7 [running]:\nmain.f()\n\t/src/main.go:1 +0x1\n\n", 400)
	for name, c := range map[string]struct{ text, begins, ends string }{
		"nothing":     {"", "", ""},
		"short":       {"a\nb", "a\nb", "a\nb"},
		"lines":       {numbered.String(), "line 980\n", "line 999\n"},
		"long line":   {strings.Repeat("x", 100_000), strings.Repeat("x", tailBytes), "x"},
		"small crash": {"before\npanic: boom\n\nmore\n", "before\npanic: boom\n", "more\n"},
		"crash":       {numbered.String() + "panic: boom\n\n" + stack, "panic: boom\n\ngoroutine 7", "+0x1\n\n"},
		"two crashes": {"panic: one\n" + stack + "fatal error: two\n" + stack, "fatal error: two\ngoroutine 7", "+0x1\n\n"},
		"not a crash": {"no panic: here\n" + stack, "", "+0x1\n\n"},
		"long crash":  {"panic: " + strings.Repeat("x", 100_000) + "\nend\n", "panic: xxx", "end\n"},
	} {
		t.Run(name, func(t *testing.T) {
			whole := feed(c.text, max(1, len(c.text))).String()
			if !strings.HasPrefix(whole, c.begins) || !strings.HasSuffix(whole, c.ends) {
				t.Errorf("the tail is\n%s", whole)
			}
			if lines := strings.Count(whole, "\n"); lines > tailLines+1 || len(whole) > tailBytes+10 {
				t.Errorf("the tail has %d lines, %d bytes", lines, len(whole))
			}
			if crashed := strings.HasSuffix(name, "crash") && name != "not a crash" || name == "two crashes"; crashed != strings.Contains(whole, "panic: ") && crashed != strings.Contains(whole, "fatal error: ") {
				t.Errorf("crashed %t, but the tail is\n%s", crashed, whole)
			}
			for _, n := range []int{1, 2, 3, 7, 64, 4095, 4096, 4097} {
				if got := feed(c.text, n).String(); got != whole {
					t.Errorf("in chunks of %d bytes it is\n%s\nand not\n%s", n, got, whole)
				}
			}
		})
	}
}

func TestTailMemory(t *testing.T) {
	block := []byte(strings.Repeat("0123456789abcde\n", 2048))
	kept := new(tail)
	kept.add([]byte("panic: boom\n"))
	kept.add(block)
	if n := testing.AllocsPerRun(100, func() { kept.add(block) }); n != 0 {
		t.Errorf("%v allocations for a chunk", n)
	}
	if size := cap(kept.last) + cap(kept.crash); size > 32<<10 {
		t.Errorf("it keeps %d bytes", size)
	}
}

func BenchmarkTail(b *testing.B) {
	block := []byte(strings.Repeat("a line of some seventy bytes, as programs print them when they run. \n", 468))
	kept := new(tail)
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		kept.add(block)
	}
}
