package worker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// A worker that is asked says by which code it computes, and touches nothing.
func TestCodesOfAProgram(t *testing.T) {
	lock := code.Locked{Name: "f", Version: "2", Same: []code.Same{{Hash: "aa", Date: "2026-11-29", Reason: "its log"}}, Fingerprint: code.Fingerprint{
		Hash: "bb", Package: "p", Decls: []code.Decl{{Kind: code.Func, Name: "p.clean", File: "clean.go", Line: 12, Hash: "2"}},
	}}
	b := newBench(t, memory())
	path := filepath.Join(t.TempDir(), "codes")
	b.process.Spec = Spec{Codes: path}
	b.process.Root = nil
	b.process.Registry, _ = b.register("f", "2", code.Lock{Functions: []code.Locked{lock}}.String())
	if got := b.process.Main(t.Context()); got != executor.ExitOK {
		t.Fatalf("exit code %d", got)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []FunctionCode
	if err := json.Unmarshal(text, &all); err != nil || len(all) != 1 {
		t.Fatalf("%s, %v", text, err)
	}
	if f := all[0]; f.Name != "f" || f.Version != "2" || f.Origin.Code != "bb" || !code.Accepts(f.Same, "aa") || len(f.Code.Decls) != 1 {
		t.Errorf("%s", text)
	}
	b.process.Spec.Codes = filepath.Join(path, "below")
	if got := b.process.Main(t.Context()); got != executor.ExitFailed {
		t.Errorf("exit code %d, and it could not be written", got)
	}
}
