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
// test's own, since all pods of the node suffer. It takes most of a minute to notice,
// so that one silence is for three programs: one whose worker dies, one whose worker
// lives, and one that is interrupted.
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
	gate := func(w *Work) { w.Gate = true }
	dead, lives, stopped := newRigOn(t, c, 1, gate), newRigOn(t, c, 1, gate), newRigOn(t, c, 3, gate)
	dead.calls.SilenceGrace, lives.calls.SilenceGrace = 5*time.Second, time.Second
	ofDead, ofLives, ofStopped := dead.start(), lives.start(), stopped.start()
	resume := fallsSilent(t, c, dead, lives, stopped)
	killPods(t, dead.calls.Namespace)
	killPods(t, stopped.calls.Namespace)

	// Ctrl-C does not wait for pods on a node that does not answer.
	ofStopped.Signal(syscall.SIGINT)
	if code := ofStopped.Wait(longest); code != 130 {
		t.Errorf("exit code %d; standard error:\n%s", code, ofStopped.Stderr)
	}
	stopped.leavesNothing(ofStopped)

	// There is one warning, the pod is deleted by force after its time, and the call
	// goes on elsewhere.
	const warning = "the node of a worker does not answer"
	says := func(p *enginetest.Program, what string) {
		t.Helper()
		enginetest.Eventually(t, longest, what, func() bool { return strings.Contains(p.Stderr.String(), what) })
	}
	says(ofLives, warning)
	warned := time.Now()
	says(ofDead, warning)
	says(ofDead, "a run failed and is tried again")
	enginetest.Eventually(t, longest, "the Job and the pod of the first attempt are gone", func() bool {
		return dead.jobs() == 1 && dead.pods() == 1
	})

	// A worker that renews its session is left alone, and its result is taken.
	const given = 24*time.Second + time.Second                 // until a silent session is dead, and the grace
	time.Sleep(time.Until(warned.Add(given + 10*time.Second))) // nothing must happen
	lives.open()
	enginetest.Eventually(t, longest, "the result is there", func() bool { return len(lives.held()) == 0 })

	resume() // there is no other node
	lives.expect(ofLives)
	lives.once()
	dead.open()
	dead.expect(ofDead)
	if begun := dead.begun(); begun["w0"] != 2 {
		t.Errorf("%v", begun)
	}
	if n := strings.Count(ofDead.Stderr.String(), warning); n != 1 {
		t.Errorf("%d warnings:\n%s", n, ofDead.Stderr)
	}
}

// fallsSilent stops the kubelet, once functions of all rigs run, and it has said of all
// their pods that they do, until the returned function, or the test's end.
func fallsSilent(t *testing.T, c *cluster.Cluster, rigs ...*rig) (resume func()) {
	t.Helper()
	for _, r := range rigs {
		r.awaitBegun(len(r.calls.Works))
		enginetest.Eventually(t, longest, "the cluster knows that all pods run", func() bool {
			pods, err := c.Client().CoreV1().Pods(r.calls.Namespace).List(t.Context(), v1.ListOptions{FieldSelector: "status.phase=Running"})
			if err != nil {
				t.Fatal(err)
			}
			return len(pods.Items) == len(r.calls.Works)
		})
	}
	if err := c.PauseKubelet(); err != nil {
		t.Fatal(err)
	}
	resume = sync.OnceFunc(func() {
		if err := c.ResumeKubelet(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(resume)
	return resume
}
