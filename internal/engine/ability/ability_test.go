package ability_test

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
)

// plain has no ability, able has all, and unable says no of each.
type (
	plain  struct{ executor.Executor }
	able   struct{ plain }
	unable struct{ plain }
)

func (able) RunsHere() bool                    { return true }
func (able) RunsRemotely() bool                { return true }
func (able) MayRetry(f []executor.Reason) bool { return len(f) == 1 }
func (able) RootFor(root string) string        { return root + "/mounted" }
func (unable) RunsHere() bool                  { return false }
func (unable) RunsRemotely() bool              { return false }

func TestAbilities(t *testing.T) {
	failed := []executor.Reason{executor.WorkerLost}
	for name, test := range map[string]struct {
		e    executor.Executor
		want bool
		root string
	}{
		"none": {plain{}, false, "mem://a"}, "all": {able{}, true, "mem://a/mounted"}, "says no": {unable{}, false, "mem://a"},
	} {
		if got := ability.InProcess(test.e); got != test.want {
			t.Errorf("%s: in process: %v", name, got)
		}
		if got := ability.RunsRemotely(test.e); got != test.want {
			t.Errorf("%s: remote: %v", name, got)
		}
		if got := ability.MayRetry(test.e, failed); got != test.want {
			t.Errorf("%s: another try: %v", name, got)
		}
		if got := ability.RootFor(test.e, "mem://a"); got != test.root {
			t.Errorf("%s: the root is %s", name, got)
		}
	}
	if ability.MayRetry(able{}, nil) {
		t.Error("the reasons are not passed on")
	}
}
