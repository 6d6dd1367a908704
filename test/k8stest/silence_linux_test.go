package k8stest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// killPods kills the processes of all pods in a namespace, behind the kubelet's back.
func killPods(t *testing.T, namespace string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, path := range paths {
		if environ, err := os.ReadFile(path); err == nil && bytes.Contains(environ, []byte("MOPS_K8S_NAMESPACE="+namespace+"\x00")) {
			var pid int
			for _, digit := range filepath.Base(filepath.Dir(path)) {
				pid = pid*10 + int(digit-'0')
			}
			enginetest.Kill(pid)
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no process of a pod was found")
	}
}

// A node falls silent: its kubelet is stopped where it is. The cluster is this
// test's own, since all pods of the node suffer.
func TestNodeFallsSilent(t *testing.T) {
	t.Parallel()
	cluster.Real(t) // leaves the test out where there can be none
	c, err := cluster.StartReal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	for name, test := range map[string]func(t *testing.T, c *cluster.Cluster){
		"worker dead": silentAndDead, "worker lives": silentAndAlive, "Ctrl-C": interruptedOnASilentNode,
	} {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

// fallsSilent stops the kubelet, once it has said of all pods that they run, until
// the returned function, or the test's end.
func (r *rig) fallsSilent() (resume func()) {
	r.Helper()
	enginetest.Eventually(r, time.Minute, "the cluster knows that all pods run", func() bool {
		pods, err := r.cluster.Client().CoreV1().Pods(r.calls.Namespace).List(r.Context(), v1.ListOptions{FieldSelector: "status.phase=Running"})
		if err != nil {
			r.Fatal(err)
		}
		return len(pods.Items) == len(r.calls.Works)
	})
	if err := r.cluster.PauseKubelet(); err != nil {
		r.Fatal(err)
	}
	resume = sync.OnceFunc(func() {
		if err := r.cluster.ResumeKubelet(); err != nil {
			r.Error(err)
		}
	})
	r.Cleanup(resume)
	return resume
}

// There is one warning, the pod is deleted by force after its time, and the call
// goes on elsewhere.
func silentAndDead(t *testing.T, c *cluster.Cluster) {
	r := newRigOn(t, c, 1, func(w *Work) { w.Gate = true })
	r.calls.SilenceGrace = 5 * time.Second
	p := r.start()
	r.awaitBegun(1)
	resume := r.fallsSilent()
	killPods(t, r.calls.Namespace)
	said := func(what string) func() bool {
		return func() bool { return strings.Contains(p.Stderr.String(), what) }
	}
	enginetest.Eventually(t, 3*time.Minute, "a warning", said("the node of a worker does not answer"))
	enginetest.Eventually(t, time.Minute, "another attempt", said("a run failed and is tried again"))
	enginetest.Eventually(t, time.Minute, "the Job and the pod of the first attempt are gone", func() bool {
		return r.jobs() == 1 && r.pods() == 1
	})
	resume() // there is no other node
	r.open()
	r.expect(p, 3*time.Minute)
	if begun := r.begun(); begun["w0"] != 2 {
		t.Errorf("%v", begun)
	}
	if n := strings.Count(p.Stderr.String(), "the node of a worker does not answer"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, p.Stderr)
	}
}

// A worker that renews its session is left alone, and its result is taken.
func silentAndAlive(t *testing.T, c *cluster.Cluster) {
	r := newRigOn(t, c, 1, func(w *Work) { w.Gate = true })
	r.calls.SilenceGrace = time.Second
	p := r.start()
	r.awaitBegun(1)
	resume := r.fallsSilent()
	enginetest.Eventually(t, 3*time.Minute, "a warning", func() bool {
		return strings.Contains(p.Stderr.String(), "the node of a worker does not answer")
	})
	const longest = 24*time.Second + time.Second // after which a silent session is dead, and the grace
	time.Sleep(longest + 10*time.Second)         // nothing must happen
	r.open()
	enginetest.Eventually(t, time.Minute, "the result is there", func() bool { return len(r.held()) == 0 })
	resume()
	r.expect(p, 3*time.Minute)
	r.once()
}

// Ctrl-C does not wait for pods on a node that does not answer.
func interruptedOnASilentNode(t *testing.T, c *cluster.Cluster) {
	r := newRigOn(t, c, 3, func(w *Work) { w.Gate = true })
	p := r.start()
	r.awaitBegun(3)
	r.fallsSilent()
	killPods(t, r.calls.Namespace)
	p.Signal(syscall.SIGINT)
	if code := p.Wait(90 * time.Second); code != 130 {
		t.Errorf("exit code %d; standard error:\n%s", code, p.Stderr)
	}
	if jobs, pods, held := r.jobs(), r.pods(), r.held(); jobs+pods+len(held) > 0 {
		t.Errorf("%d Jobs, %d pods and %d leases are left; standard error:\n%s", jobs, pods, len(held), p.Stderr)
	}
}
