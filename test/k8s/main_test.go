package k8s_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(kubeconfigVariable) != "" { // a helper of the conformance suite
		executortest.Main(m, maker)
	}
	enginetest.SideBySide("6")
	os.Exit(testcluster.Run(m))
}

// Where helper processes of the conformance suite find the cluster.
const (
	kubeconfigVariable = "MOPS_TEST_K8S_KUBECONFIG"
	namespaceVariable  = "MOPS_TEST_K8S_NAMESPACE"
	imageVariable      = "MOPS_TEST_K8S_IMAGE"
)

var maker = executortest.Maker{
	New: func() executor.Executor {
		return New(
			Kubeconfig(os.Getenv(kubeconfigVariable)), Namespace(os.Getenv(namespaceVariable)), Image(os.Getenv(imageVariable)),
			Retries(0), StopGrace(time.Second),
		)
	},
	Can:      executortest.Capabilities{Outlive: true, Logs: true, Kill: true},
	Patience: 5 * time.Minute, // a pod without a request has little of a busy machine
	MostLog:  2 << 20,         // a kubelet begins a new file after 10 MiB, times included, and may lose lines then
}

func TestConformance(t *testing.T) {
	c, image := real(t)
	t.Setenv(kubeconfigVariable, c.Kubeconfig)
	t.Setenv(namespaceVariable, c.Namespace(t))
	t.Setenv(imageVariable, image)
	m := maker
	m.Listen = func() (net.Listener, error) { return net.Listen("tcp", net.JoinHostPort(c.Host, "0")) }
	executortest.Run(t, m)
}

// real is the real cluster, and an image in its registry with testdata/worker.
func real(t testing.TB) (*testcluster.Cluster, string) {
	t.Helper()
	c := testcluster.Real(t)
	image, err := workerImage(c)
	if err != nil {
		t.Fatal(err)
	}
	return c, image
}

var (
	building sync.Mutex
	built    = map[*testcluster.Cluster]string{}
)

func workerImage(c *testcluster.Cluster) (string, error) {
	building.Lock()
	defer building.Unlock()
	if image, ok := built[c]; ok {
		return image, nil
	}
	folder, err := os.MkdirTemp("", "mops-k8s-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "worker")
	command := exec.Command("go", "build", "-o", program, "./testdata/worker")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	image, err := c.PushProgram(context.Background(), "worker", program)
	if err == nil {
		built[c] = image
	}
	return image, err
}
