package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Real returns a cluster with one node that runs containers. There is one for all
// tests of a process, which [Run] stops. Where it cannot run, the test is left out.
func Real(tb testing.TB) *Cluster {
	tb.Helper()
	return shared(tb, realCluster)
}

// Simulated returns a cluster without containers, like Real.
func Simulated(tb testing.TB) *Cluster {
	tb.Helper()
	return shared(tb, simulatedCluster)
}

var (
	realCluster      = sync.OnceValues(func() (*Cluster, error) { return keep(StartReal(context.Background())) })
	simulatedCluster = sync.OnceValues(func() (*Cluster, error) { return keep(StartSimulated(context.Background())) })
)

// kept are the clusters that Run stops.
var kept struct {
	sync.Mutex
	clusters []*Cluster
}

func keep(c *Cluster, err error) (*Cluster, error) {
	if err == nil {
		kept.Lock()
		defer kept.Unlock()
		kept.clusters = append(kept.clusters, c)
	}
	return c, err
}

func shared(tb testing.TB, get func() (*Cluster, error)) *Cluster {
	tb.Helper()
	if testing.Short() {
		tb.Skip("left out with -short: on a Kubernetes cluster")
	}
	c, err := get()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing):
		tb.Skip(err)
	default:
		tb.Fatal(err)
	}
	return c
}

// Run runs the tests of a package, stops the clusters that they used, and returns
// the exit code. Packages with tests on clusters have it in their TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Run(m)) }
func Run(m *testing.M) int {
	code := m.Run()
	kept.Lock()
	defer kept.Unlock()
	for _, c := range kept.clusters {
		if err := c.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// Namespace returns a new namespace for one test, which deletes it, with all in it,
// when it has ended.
func (c *Cluster) Namespace(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	namespaces := c.client.CoreV1().Namespaces()
	made, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := namespaces.Delete(context.Background(), made.Name, metav1.DeleteOptions{}); err != nil {
			tb.Error(err)
		}
	})
	// Pods are refused before it has its account.
	err = c.until(ctx, "the service account of "+made.Name, func(ctx context.Context) error {
		_, err := c.client.CoreV1().ServiceAccounts(made.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return made.Name
}
