package programs

import "testing"

func TestCompare(t *testing.T) {
	call := func(memo, outcome, result string, wall float64) Call {
		return Call{Function: "f@1", Memo: memo, Outcome: outcome, Result: result, Resources: Resources{WallSeconds: wall}}
	}
	before := &Run{Calls: []Call{
		call("same", "computed", "aa", 1), call("same", "hit", "", 1), call("gone", "hit", "", 0), call("again", "hit", "", 0), call("other", "computed", "aa", 10),
		call("mended", "failed", "", 0), call("broken", "computed", "aa", 1), call("faster", "computed", "aa", 9),
	}}
	after := &Run{
		Calls: []Call{
			call("same", "hit", "", 0), call("again", "computed", "bb", 1), call("other", "computed", "bb", 13), call("mended", "computed", "cc", 1),
			call("broken", "failed", "", 0), call("new", "computed", "dd", 1), call("newly broken", "failed", "", 0), call("faster", "computed", "aa", 2),
		},
		State: State{Functions: []Function{{Totals: Totals{Hits: 5000, Listed: 1000}}}},
	}
	c := Compare(before, after)
	names := func(changes []Change) (all string) {
		for _, x := range changes {
			if x.After != nil {
				all += x.After.Memo + " "
			} else {
				all += x.Before.Memo + " "
			}
		}
		return all
	}
	for what, is := range map[string][2]string{
		"new": {names(c.New), "new newly broken "}, "gone": {names(c.Gone), "gone "}, "again": {names(c.Again), "again other faster "}, "other": {names(c.Other), "other "},
		"failing": {names(c.Failing), "broken newly broken "}, "mended": {names(c.Mended), "mended "}, "slower": {names(c.Slower), "other "}, "faster": {names(c.Faster), "faster "},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %q, want %q", what, is[0], is[1])
		}
	}
	if c.Same != 6 || c.Unlisted != 4000 {
		t.Errorf("%d in both, %d not compared", c.Same, c.Unlisted)
	}
}
