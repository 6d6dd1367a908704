package orchestrate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

func fingerprint(hash string) *code.Fingerprint {
	return &code.Fingerprint{Hash: hash, Package: "p", Decls: []code.Decl{{Kind: code.Func, Name: "p.clean", File: "clean.go", Line: 12, Hash: hash}}}
}

// locked makes another registry in which the function has a lock.
func (r *rig) locked(hash string) {
	r.registry = function.NewRegistry(function.Sources{})
	r.registry.Locks.State(code.Lock{Functions: []code.Locked{{Name: "room/f", Version: "0", Fingerprint: *fingerprint(hash)}}}.String(), "mops_lock.go")
	r.f = define(r, r.registry, "0", func(ctx context.Context, n int) (int, error) { return r.do(ctx, n) })
}

// While somebody looks whether the source was edited, hits are served, and
// counted once it is known; what has to be computed waits, since its record
// names the code.
func TestWhileSomebodyLooks(t *testing.T) {
	for name, c := range map[string]struct {
		actual function.Actual
		warns  string
		code   string // in the record of what was computed meanwhile
	}{
		"edited":           {function.Actual{Hash: "bb", Code: fingerprint("bb")}, "2 hits of room/f@0 were computed by other code: clean changed (clean.go:12)", "bb"},
		"edited somehow":   {function.Actual{Hash: "edited-1"}, "2 hits of room/f@0 were computed by other code: aa, and here it is edited-1", "edited-1"},
		"only its comment": {function.Actual{Hash: "aa"}, "", "aa"},
		"nobody can tell":  {function.Actual{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				r.locked("aa")
				p := r.program("first", r.fleet)
				warn := func(s *Settings) { s.CodeCheck = code.Warn }
				r.want(p.do(r.Context(), 1, warn), 2, Computed)
				r.want(p.do(r.Context(), 2, warn), 4, Computed)
				settle, ok := r.registry.Look()
				if _, twice := r.registry.Look(); !ok || twice {
					t.Error("two look at once")
				}
				r.want(p.do(r.Context(), 1, warn), 2, Hit)
				r.want(p.do(r.Context(), 2, warn), 4, Hit)
				ended := p.begin(r.Context(), 3, warn)
				synctest.Wait()
				r.wantRuns(3, 0)
				settle(map[string]function.Actual{"room/f": c.actual, "room/g": c.actual})
				r.want(<-ended, 6, Computed)
				if got := r.f.Origin().Code; got != c.code {
					t.Errorf("the code is %q, want %q", got, c.code)
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
				if log := r.logged.String(); !strings.Contains(log, c.warns) || c.warns == "" && strings.Contains(log, "other code") {
					t.Errorf("no warning %q:\n%s", c.warns, log)
				}
			})
		})
	}
}

// A caller that leaves does not wait for who looks.
func TestLeavingWhileSomebodyLooks(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.locked("aa")
		p := r.program("first", r.fleet)
		settle, _ := r.registry.Look()
		defer settle(nil)
		ctx, cancel := context.WithCancel(r.Context())
		left := p.begin(ctx, 1)
		synctest.Wait()
		cancel()
		if left := <-left; !errors.Is(left.err, context.Canceled) {
			t.Errorf("%v", left.err)
		}
		r.wantRuns(1, 0)
	})
}
