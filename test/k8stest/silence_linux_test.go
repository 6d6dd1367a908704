package k8stest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// ownCluster is a cluster for one test, which may harm it. Where none can run, the
// test is left out.
func ownCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	cluster.Real(t) // skips where there is none
	c, err := cluster.StartReal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

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

// A node falls silent, and its worker is dead: there is one warning, the pod is
// deleted by force after its time, and the call goes on elsewhere.
func TestNodeFallsSilent(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, ownCluster(t), 1, func(w *Work) { w.Gate = true })
	r.calls.SilenceGrace = 5 * time.Second
	p := r.start()
	r.awaitBegun(1)
	if err := r.cluster.PauseKubelet(); err != nil {
		t.Fatal(err)
	}
	killPods(t, r.calls.Namespace)
	says := func(what string) func() bool {
		return func() bool { return strings.Contains(p.Stderr.String(), what) }
	}
	enginetest.Eventually(t, 3*time.Minute, "a warning", says("the worker gives no sign of life"))
	enginetest.Eventually(t, time.Minute, "another attempt", says("a run failed and is tried again"))
	enginetest.Eventually(t, time.Minute, "the Job and the pod of the first attempt are gone", func() bool {
		return r.jobs() == 1 && r.pods() == 1
	})
	if err := r.cluster.ResumeKubelet(); err != nil { // there is no other node
		t.Fatal(err)
	}
	r.open()
	r.expect(p, 3*time.Minute)
	if begun := r.begun(); begun["w0"] != 2 {
		t.Errorf("%v", begun)
	}
	if n := strings.Count(p.Stderr.String(), "does not answer, and"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, p.Stderr)
	}
}

// A node falls silent, but its worker lives, and renews its session: it is left
// alone, and its result is taken.
func TestNodeFallsSilentButItsWorkerLives(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, ownCluster(t), 1, func(w *Work) { w.Gate = true })
	r.calls.SilenceGrace = time.Second
	p := r.start()
	r.awaitBegun(1)
	if err := r.cluster.PauseKubelet(); err != nil {
		t.Fatal(err)
	}
	enginetest.Eventually(t, 3*time.Minute, "a warning", func() bool {
		return strings.Contains(p.Stderr.String(), "but the worker lives")
	})
	r.open()
	enginetest.Eventually(t, time.Minute, "the result is there", func() bool { return len(r.held()) == 0 })
	if err := r.cluster.ResumeKubelet(); err != nil {
		t.Fatal(err)
	}
	r.expect(p, 3*time.Minute)
	r.once()
}

// Ctrl-C does not wait for pods on a node that does not answer.
func TestInterruptOnASilentNode(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, ownCluster(t), 3, func(w *Work) { w.Gate = true })
	p := r.start()
	r.awaitBegun(3)
	if err := r.cluster.PauseKubelet(); err != nil {
		t.Fatal(err)
	}
	killPods(t, r.calls.Namespace)
	p.Signal(syscall.SIGINT)
	if code := p.Wait(90 * time.Second); code != 130 {
		t.Errorf("exit code %d; standard error:\n%s", code, p.Stderr)
	}
	if jobs, pods, held := r.jobs(), r.pods(), r.held(); jobs+pods+len(held) > 0 {
		t.Errorf("%d Jobs, %d pods and %d leases are left; standard error:\n%s", jobs, pods, len(held), p.Stderr)
	}
}
