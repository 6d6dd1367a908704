package process

import (
	"testing"
)

func TestParseStat(t *testing.T) {
	for _, c := range []struct {
		line string
		want status
	}{
		{"42 (plain) S 1 4321 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654321 0 0", status{987654321, 4321, false}},
		{"42 (a ) Z (b) R 1 4321 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 987654321 0 0", status{987654321, 4321, false}},
		{"42 (dead) Z 1 4321 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654321 0 0", status{987654321, 4321, true}},
		{"42 (first thread left) Z 1 4321 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 12 0 987654321 0 0", status{987654321, 4321, false}},
	} {
		got, err := parseStat([]byte(c.line))
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.line, got, err, c.want)
		}
	}
	for _, line := range []string{"", "42 (short) S 1 2 3", "42 no name"} {
		if got, err := parseStat([]byte(line)); err == nil {
			t.Errorf("%q: %+v, want an error", line, got)
		}
	}
}
