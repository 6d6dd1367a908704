package doctest

import (
	"os"
	"testing"

	"github.com/TrilliantHealth/mops-go/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Run(m)) }

// onCluster has what the page on Kubernetes takes for granted, as make cluster-up
// gives it.
func onCluster(t *testing.T) (variables []string) {
	t.Helper()
	_, variables, err := cluster.Real(t).Furnish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return variables
}
