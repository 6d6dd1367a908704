package k8s_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
	. "github.com/TrilliantHealth/mops-go/k8s"
)

func isLog(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/log") }

// numbered are the lines that testdata/worker prints.
func numbered(n int, prefix string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sline %d\n", prefix, i)
	}
	return b.String()
}

// A log is whole though its stream breaks again and again, also where lines come
// faster than the seconds in which a log can be asked for. The worker stays for a while:
// what is left of the log when it has ended has some seconds, and no more.
func TestLogsSurviveBrokenStreams(t *testing.T) {
	t.Parallel()
	e, c, _ := onReal(t, does("lines", "LINES", "2000 2ms", "STAYS", "20s"))
	proxy, kubeconfig := c.Behind(t)
	for _, after := range []int{0, 100, 10_000, 30_000, 31_000, 50_000} {
		proxy.Strike(1, faultproxy.CutAfter(after), isLog)
	}
	proxy.Strike(2, faultproxy.Answer(500, nil, "no"), isLog)
	_, exit, printed := run(t, e.With(Kubeconfig(kubeconfig)), newCall())
	if want := numbered(2000, ""); exit.Err != nil || printed != want {
		t.Errorf("%v; %d bytes were printed, want %d; they begin with %.200q", exit.Err, len(printed), len(want), printed)
	}
}

// The pods of a Job that is tried again are shown one after the other.
func TestLogsOfRetriedPods(t *testing.T) {
	t.Parallel()
	e, _, _ := onReal(t, does("lines", "LINES", "10 1ms", "CODE", "3"), Retries(1))
	_, exit, printed := run(t, e, newCall())
	failsWith(t, exit.Err, executor.WorkerFailed, "2 pods")
	first, second, ok := strings.Cut(printed, "[")
	name, _, _ := strings.Cut(second, "]")
	if !ok || first != numbered(10, "") || "["+second != numbered(10, "["+name+"] ") {
		t.Errorf("it printed\n%s", printed)
	}
	if !strings.HasSuffix(exit.Err.Tail, "line 9") {
		t.Errorf("its last lines are %q", exit.Err.Tail)
	}
}

func TestLogsAreNotAllShown(t *testing.T) {
	e, c, _ := onReal(t, does("lines", "LINES", "10 100ms"))
	proxy, kubeconfig := c.Behind(t)
	var streams atomic.Int64
	proxy.Observe(func(r *http.Request) {
		if isLog(r) {
			streams.Add(1)
		}
	})
	e = e.With(Kubeconfig(kubeconfig))
	if _, _, printed := run(t, e.With(Logs(0)), newCall()); printed != "" || streams.Load() != 0 {
		t.Errorf("with Logs(0) it printed %q", printed)
	}
	if _, _, printed := run(t, e.With(LogStreams(0)), newCall()); printed != "" || streams.Load() != 0 {
		t.Errorf("with LogStreams(0) it printed %q", printed)
	}
	t.Setenv("MOPS_K8S_LOGS", "none")
	if _, _, printed := run(t, e, newCall()); printed != "" || streams.Load() != 0 {
		t.Errorf("with MOPS_K8S_LOGS=none it printed %q", printed)
	}
	t.Setenv("MOPS_K8S_LOGS", "some")
	_, err := e.Start(t.Context(), newCall())
	failsWith(t, err, executor.LaunchFailed, "MOPS_K8S_LOGS")
}
