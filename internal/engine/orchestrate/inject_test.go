package orchestrate

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// What is injected is a result like others: it is never replaced, except by a
// refresh, and that counts as one.
func TestInject(t *testing.T) {
	inRoom(t, func(r *rig) {
		a, b := r.program("a", here()), r.program("b", here())
		inject := func(n, out int, change ...func(*Settings)) error {
			return a.Inject(r.Context(), a.call(n, change...), &out)
		}
		if err := inject(1, 70); err != nil {
			t.Fatal(err)
		}
		r.want(b.do(r.Context(), 1), 70, Hit)
		if err := inject(1, 71); !blob.Is(err, blob.Exists) {
			r.Errorf("where a result is: %v", err)
		}
		r.want(a.do(r.Context(), 1), 70, Hit)
		if err := inject(1, 72, refresh); err != nil {
			t.Fatal(err)
		}
		r.want(a.do(r.Context(), 1, refresh), 72, Hit)
		r.wantRuns(1, 0)
		r.want(b.do(r.Context(), 1, refresh), 2, Computed)

		r.damages(a, 1, "result")
		if err := inject(1, 73); err != nil {
			t.Fatal(err)
		}
		r.want(b.do(r.Context(), 1), 73, Hit)

		for option, change := range map[string]func(*Settings){
			"Off":      func(s *Settings) { s.Off = true },
			"ReadOnly": func(s *Settings) { s.ReadOnly = true },
		} {
			if err := inject(2, 80, change); err == nil || !strings.Contains(err.Error(), option) {
				r.Errorf("with %s: %v", option, err)
			}
		}
		r.want(a.do(r.Context(), 2), 4, Computed)
	})
}

// A result is injected while the call is computed: all get that one.
func TestInjectMeanwhile(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.do = func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Minute)
			return 2 * n, nil
		}
		a, b := r.program("a", here()), r.program("b", here())
		call := a.begin(r.Context(), 1)
		time.Sleep(time.Second)
		out := 70
		if err := b.Inject(r.Context(), b.call(1), &out); err != nil {
			t.Fatal(err)
		}
		r.want(<-call, 70, Awaited)
		r.want(b.do(r.Context(), 1), 70, Hit)
	})
}

// Beside a result that lacks a field, one is injected under the exact key.
func TestInjectUnderTheExactKey(t *testing.T) {
	inRoom(t, func(r *rig) {
		a, b := r.narrow("a"), r.wide("b", "0")
		r.want(a.do(r.Context(), 1), 2, Computed)
		if err := b.Inject(r.Context(), b.call(1), &wide{70, 70}); err != nil {
			t.Fatal(err)
		}
		r.want(b.do(r.Context(), 1), 70, Hit)
		r.want(a.do(r.Context(), 1), 2, Hit)
		r.wantRuns(1, 1)
	})
}
