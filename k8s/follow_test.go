package k8s

import (
	"bytes"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Lines of one second, of two streams and of late news are told apart by number.
func TestPlace(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(ms)) }
	var p place
	if p.since() != nil {
		t.Error("an unread log has a place to go on at")
	}
	for _, ms := range []int{100, 200, 1500, 1400, 900, 2100, 1999} {
		p.read(at(ms))
	}
	if p.here != 1 || p.prior != 3 || !p.newest.Equal(at(2100)) || !p.since().Equal(&metav1.Time{Time: at(1000)}) {
		t.Errorf("%+v, since %v", p, p.since())
	}
	if p.read(at(9000)); p.here != 1 || p.prior != 0 {
		t.Errorf("%+v", p)
	}
}

func TestCutTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-26T01:26:51.123456789Z hello world\n": "hello world\n", "2026-11-26T01:26:51Z \n": "\n", "unable to retrieve\n": "unable to retrieve\n", "\n": "\n",
	} {
		at, line := cutTime([]byte(text))
		if string(line) != want || at.IsZero() != (text == want) || !bytes.HasSuffix([]byte(text), line) {
			t.Errorf("%q: %v, %q", text, at, line)
		}
	}
}
