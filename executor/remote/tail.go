package remote

import (
	"strings"
	"sync"
)

// tailBytes is how much of what the command says is kept.
const tailBytes = 4 << 10

// tail keeps the last of what a command prints on standard error, and hands each line on.
type tail struct {
	mu   sync.Mutex
	last []byte
	line func(string) // takes each line; may be nil
	part []byte       // of an unfinished line
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	t.part = append(t.part, p...)
	for {
		line, rest, ended := strings.Cut(string(t.part), "\n")
		if !ended {
			break
		}
		if t.part = []byte(rest); t.line != nil {
			t.line(strings.TrimSpace(line))
		}
	}
	if len(t.part) > tailBytes {
		t.part = nil
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(t.last), "?"))
}
