package doctest

import (
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Run(m)) }

// onCluster has what the pages on Kubernetes take for granted, as make cluster-up
// gives it.
func onCluster(t *testing.T) (variables []string) {
	t.Helper()
	c := cluster.Real(t)
	furnish.Do(func() { _, furnish.variables, furnish.err = c.Furnish(t.Context()) })
	if furnish.err != nil {
		t.Fatal(furnish.err)
	}
	return slices.Clone(furnish.variables)
}

var furnish struct {
	sync.Once
	variables []string
	err       error
}
