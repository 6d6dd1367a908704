package look

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/module"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

func printOf(hash, clean string, line int) *code.Fingerprint {
	return &code.Fingerprint{Hash: hash, Package: "p", Decls: []code.Decl{{Kind: code.Func, Name: "p.clean", File: "clean.go", Line: line, Hash: clean}}}
}

func lockAt(hash string, same ...string) *code.Locked {
	l := &code.Locked{Name: "f", Version: "2", Fingerprint: *printOf(hash, hash, 12)}
	for _, s := range same {
		l.Same = append(l.Same, code.Same{Hash: s, Date: "2026-11-29", Reason: "its log"})
	}
	return l
}

func TestStands(t *testing.T) {
	source := func(hash string, lock *code.Locked) module.Code {
		return module.Code{Version: "2", Func: "p.train", Source: printOf(hash, hash, 12), Lock: lock}
	}
	locked := func(lock *code.Locked) module.Code { return module.Code{Version: "2", Func: "p", Lock: lock} }
	for name, c := range map[string]struct {
		mine module.Code
		by   record.Origin
		want standing
	}{
		"the source's":                  {source("aa", nil), record.Origin{Code: "aa"}, sameCode},
		"the lock's":                    {locked(lockAt("aa")), record.Origin{Code: "aa"}, sameCode},
		"other":                         {source("aa", nil), record.Origin{Code: "bb"}, otherCode},
		"declared equal":                {source("aa", lockAt("aa", "99", "bb")), record.Origin{Code: "bb"}, declaredEqual},
		"equal to what was edited":      {source("cc", lockAt("aa", "bb")), record.Origin{Code: "bb"}, otherCode},
		"the lock's, edited since":      {source("cc", lockAt("aa")), record.Origin{Code: "aa"}, otherCode},
		"locked anew without the lock":  {source("cc", lockAt("aa")), record.Origin{Code: "cc"}, sameCode},
		"edited there, as nobody knows": {locked(lockAt("aa")), record.Origin{Code: "edited-5e7a"}, otherCode},
		"another version":               {module.Code{Version: "3", Lock: lockAt("aa")}, record.Origin{Code: "aa"}, otherVersion},
		"a version that is no constant": {module.Code{Source: printOf("aa", "1", 1)}, record.Origin{Code: "aa"}, sameCode},
		"not known there":               {source("aa", nil), record.Origin{Func: "p.train"}, notCompared},
		"not known here":                {module.Code{Problem: "no module"}, record.Origin{Code: "aa", Func: "p.train"}, notCompared},
		"another function":              {source("aa", nil), record.Origin{Func: "q.train"}, otherFunction},
		"another of the package":        {source("aa", nil), record.Origin{Func: "p.test"}, otherFunction},
		"a literal of the package":      {source("aa", nil), record.Origin{Func: "p"}, notCompared},
		"an instance":                   {source("aa", nil), record.Origin{Func: "p.train[...]"}, notCompared},
		"a first release":               {source("aa", nil), record.Origin{}, notCompared},
	} {
		if got, equal := stands(&c.mine, c.by, "2"); got != c.want || (equal != nil) != (got == declaredEqual) {
			t.Errorf("%s: %s, %v; want %s", name, got, equal, c.want)
		}
	}
}

// What the store says is named; that it says nothing, too.
func TestChangesFrom(t *testing.T) {
	store := blob.New("mem://test", memblob.New())
	if err := memo.PutCode(t.Context(), store, printOf("aa", "1", 10)); err != nil {
		t.Fatal(err)
	}
	changes, problem := changesFrom(t.Context(), store, "aa", printOf("bb", "2", 12), "there")
	if len(changes) != 1 || changes[0].Text != "clean changed (clean.go:12, there clean.go:10)" || problem != "" {
		t.Errorf("%+v, %s", changes, problem)
	}
	for _, hash := range []string{"edited-5e7a", "../../x"} {
		if changes, problem := changesFrom(t.Context(), store, hash, printOf("aa", "1", 10), "there"); len(changes) != 0 || !strings.Contains(problem, "cannot be named") {
			t.Errorf("%s: %+v, %q", hash, changes, problem)
		}
	}
}

func TestCodeByProgram(t *testing.T) {
	if c := byProgram(worker.FunctionCode{Name: "f", Version: "2"}); c.Known() != nil || !strings.Contains(c.Problem, "no lock") {
		t.Errorf("%+v", c)
	}
	known := worker.FunctionCode{Name: "f", Version: "2", Origin: record.Origin{Code: "aa"}, Code: printOf("aa", "1", 10), Same: lockAt("aa", "99").Same}
	c := byProgram(known)
	if _, equal := c.Accepts("99"); c.Known().Hash != "aa" || c.Problem != "" || equal == nil {
		t.Errorf("%+v", c)
	}
}

// The more calls a code computed, the sooner it comes; one that differs decides.
func TestConclusions(t *testing.T) {
	for name, c := range map[string]struct {
		codes []*changedCode
		want  string
	}{
		"all passed":     {[]*changedCode{{Code: "99", Calls: 340, Passed: 12}, {Code: "bb", Calls: 1, Passed: 1}}, `mops-lock --same f --same f=bb "verified on 13 of 341 calls"`},
		"one differs":    {[]*changedCode{{Calls: 340, Passed: 12}, {Calls: 1, Differs: 1}}, "set another Version of f"},
		"one fails":      {[]*changedCode{{Calls: 340, Passed: 11, Failed: 1}}, "set another Version of f"},
		"some not run":   {[]*changedCode{{Code: "aa", Calls: 340, Passed: 11, NotRun: 1}, {Code: "bb", Calls: 1, NotRun: 1}}, `mops-lock --same f "verified on 11 of 341 calls"`},
		"none run":       {[]*changedCode{{Calls: 340, NotRun: 12}}, ""},
		"nothing to run": {nil, ""},
	} {
		edited := &module.Code{Source: printOf("cc", "3", 12), Lock: lockAt("aa", "99")}
		f := changedFunction{Function: "f", Version: "2", Codes: c.codes, mine: edited}
		if f.conclude(); f.Then != c.want {
			t.Errorf("%s: %s", name, f.Then)
		}
	}
}

func TestCountsOfCodes(t *testing.T) {
	c := counts{}
	for _, by := range []string{"aa", "bb", "aa", ""} {
		c.add(record.Origin{Code: by}, time.Time{})
	}
	var got []string
	for _, of := range c.list() {
		got = append(got, of.Code)
		if want := map[string]int{"aa": 2, "bb": 1, "": 1}[of.Code]; of.Results != want {
			t.Errorf("%+v, want %d", of, want)
		}
	}
	if !slices.Equal(got, []string{"", "aa", "bb"}) {
		t.Errorf("%q", got)
	}
}
