package k8s

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/faultproxy"
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
// faster than the seconds in which a log can be asked for.
func TestLogsSurviveBrokenStreams(t *testing.T) {
	e, c, _ := onReal(t, does("lines", "LINES", "2000 2ms"))
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
	streams := 0
	proxy.Observe(func(r *http.Request) {
		if isLog(r) {
			streams++
		}
	})
	e = e.With(Kubeconfig(kubeconfig))
	if _, _, printed := run(t, e.With(Logs(0)), newCall()); printed != "" || streams != 0 {
		t.Errorf("with Logs(0) it printed %q", printed)
	}
	if _, _, printed := run(t, e.With(LogStreams(0)), newCall()); printed != "" || streams != 0 {
		t.Errorf("with LogStreams(0) it printed %q", printed)
	}
	t.Setenv(logsVariable, "none")
	if _, _, printed := run(t, e, newCall()); printed != "" || streams != 0 {
		t.Errorf("with %s=none it printed %q", logsVariable, printed)
	}
	t.Setenv(logsVariable, "some")
	_, err := e.Start(t.Context(), newCall())
	failsWith(t, err, executor.LaunchFailed, logsVariable)
}

// Lines of one second, of two streams and of late news are told apart by number.
func TestPlace(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(ms)) }
	var p place
	if p.since() != nil {
		t.Error("an unread log has a place to go on at")
	}
	for _, ms := range []int{100, 200, 1500, 1400, 900, 2100, 1999} {
		p.read(at(ms))
	}
	if p.here != 1 || p.prior != 3 || !p.newest.Equal(at(2100)) || !p.since().Equal(&metav1.Time{Time: at(1000)}) {
		t.Errorf("%+v, since %v", p, p.since())
	}
	if p.read(at(9000)); p.here != 1 || p.prior != 0 {
		t.Errorf("%+v", p)
	}
}

func TestCutTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-26T01:26:51.123456789Z hello world\n": "hello world\n", "2026-11-26T01:26:51Z \n": "\n", "unable to retrieve\n": "unable to retrieve\n", "\n": "\n",
	} {
		at, line := cutTime([]byte(text))
		if string(line) != want || at.IsZero() != (text == want) || !bytes.HasSuffix([]byte(text), line) {
			t.Errorf("%q: %v, %q", text, at, line)
		}
	}
}
