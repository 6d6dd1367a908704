package executortest

import (
	"crypto/sha256"
	"hash"
	"os"
	"strings"

	"github.com/TrilliantHealth/mops-go/executor"
)

var logs = []testCase{
	{"CompleteAndInOrder", logsInOrder},
	{"Much", logsMuch},
	{"WhileItRuns", logsWhileItRuns},
	{"NobodyListens", logsNobody},
}

func logsInOrder(b *bench) {
	const lines = 2000
	p := &printed{b: b}
	inv := invocation(b.script("print", lines))
	inv.Log = p.log
	b.wantCode(b.start(inv), executor.ExitOK)
	var want strings.Builder
	for i := range lines {
		want.WriteString(line(i))
	}
	if got := p.all(); got != want.String() {
		b.Errorf("%d bytes arrived, want %d; they end in %q", len(got), want.Len(), got[max(0, len(got)-50):])
	}
}

// logsMuch: more than fits into any buffer between; 1 GiB if MOPS_SOAK is set.
func logsMuch(b *bench) {
	size := 16 << 20
	if os.Getenv("MOPS_SOAK") != "" {
		size = 1 << 30
	}
	if most := b.maker.MostLog; most > 0 {
		size = min(size, most)
	}
	got, want := sha256.New(), sha256.New()
	arrived := 0
	inv := invocation(b.script("flood", size))
	inv.Log = func(chunk []byte) {
		arrived += len(chunk)
		got.Write(chunk)
	}
	b.wantCode(b.start(inv), executor.ExitOK)
	writeFlood(want, size)
	if arrived != size || string(got.Sum(nil)) != string(want.Sum(nil)) {
		b.Errorf("%d bytes arrived of %d, or they are not the same", arrived, size)
	}
}

func writeFlood(h hash.Hash, size int) {
	block := floodBlock()
	for left := size; left > 0; left -= len(block) {
		h.Write(block[:min(left, len(block))])
	}
}

func logsWhileItRuns(b *bench) {
	came := make(chan string, 100)
	inv := invocation(b.script("leave", executor.ExitOK)) // prints, then holds
	inv.Log = func(chunk []byte) { came <- string(chunk) }
	w := b.start(inv)
	one, two := b.visit(), b.visit()
	select {
	case text := <-came:
		if !strings.HasPrefix("leaving\n", text) {
			b.Errorf("it printed %q", text)
		}
	case <-b.ctx.Done():
		b.Error("nothing came while it ran")
	}
	one.Close()
	two.Close()
	b.wantCode(w, executor.ExitOK)
}

func logsNobody(b *bench) {
	b.wantCode(b.start(invocation(b.script("flood", 1<<20))), executor.ExitOK)
}
