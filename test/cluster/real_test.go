package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// podImage is an image with testdata/pod in the cluster's registry.
var podImage = sync.OnceValues(func() (string, error) {
	c, err := realCluster()
	if err != nil {
		return "", err
	}
	program := filepath.Join(c.slot.dir, "pod")
	command := exec.Command("go", "build", "-o", program, "./testdata/pod")
	command.Env = append(command.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return c.PushProgram(context.Background(), "pod", program)
})

// runPod runs a job with testdata/pod, and returns how it ended and what it printed.
func runPod(t *testing.T, args ...string) (batchv1.JobCondition, string) {
	t.Helper()
	c := Real(t)
	image, err := podImage()
	if err != nil {
		t.Fatal(err)
	}
	namespace := c.Namespace(t)
	end := run(t, c, namespace, job("pod", image, args...))
	pods, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("the job has %d pods (%v)", len(pods.Items), err)
	}
	log, err := c.Client().CoreV1().Pods(namespace).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return end, string(log)
}

func TestRealJob(t *testing.T) {
	end, log := runPod(t, "exit", "0")
	if end.Type != batchv1.JobComplete || log != "exits with 0\n" {
		t.Errorf("it ended with %v and printed %q", end, log)
	}
}

func TestRealExitCode(t *testing.T) {
	end, log := runPod(t, "exit", "46")
	if end.Reason != batchv1.JobReasonPodFailurePolicy || log != "exits with 46\n" {
		t.Errorf("it ended with %v and printed %q", end, log)
	}
}

// Pods reach the servers of this process, also those on the loopback address, and
// the API server by the address of its service.
func TestReachFromPod(t *testing.T) {
	c := Real(t)
	local, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.Host) })}
	go server.Serve(local)
	t.Cleanup(func() { server.Close() })
	address := c.Forward(t, local.Addr().String())
	if end, log := runPod(t, "get", "http://"+address); log != "hello "+address {
		t.Errorf("it ended with %v and printed %q", end, log)
	}
	if end, log := runPod(t, "get", "http://"+firstService+":443"); !strings.Contains(log, "HTTPS server") {
		t.Errorf("it ended with %v and printed %q", end, log)
	}
}

func TestUserHasNoRights(t *testing.T) {
	c := Real(t)
	kubeconfig, err := c.User("nobody")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	_, err = kubernetes.NewForConfigOrDie(config).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("a user without rights lists pods: %v", err)
	}
}

func TestAdvertiseGPU(t *testing.T) {
	c := Real(t)
	if err := c.AdvertiseGPU(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	node, err := c.Client().CoreV1().Nodes().Get(t.Context(), c.NodeName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := node.Status.Allocatable["nvidia.com/gpu"]; n.Value() != 2 {
		t.Errorf("the node has %v GPUs", n)
	}
}
