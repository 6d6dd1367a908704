package k8stest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Many is how many calls a program makes at once, and where.
type Many struct {
	Kubeconfig, Namespace string
	Calls                 int
}

// Took is what they took.
type Took struct {
	Right      int      // results, of calls that were computed now
	Errors     []string // of some of the others
	Computed   int      // how often the function ran
	Goroutines int      // at the most, beside those that there were before
	Resident   int64    // memory at the most, in bytes
}

var computed atomic.Int64

var square = mops.Define("k8stest/square", func(ctx context.Context, n int) (int, error) {
	computed.Add(1)
	return n * n, nil
}, mops.Version("1"))

// runMany makes calls, each with a Job of its own.
func runMany(ctx context.Context) error {
	var many Many
	if err := enginetest.Arguments(&many); err != nil {
		return err
	}
	at := played{k8s.New(k8s.Kubeconfig(many.Kubeconfig), k8s.Namespace(many.Namespace), k8s.Image("program:1"), k8s.Logs(0), k8s.HostPath("/", "/"))}
	debug.SetMemoryLimit(1 << 30 / 10 * 9) // as GOMEMLIMIT in a pod with a limit of 1 GiB
	before := runtime.NumGoroutine()
	var took Took
	for r := range square.With(mops.On(at)).Each(ctx, func(yield func(int) bool) {
		for i := range many.Calls {
			if !yield(i) {
				return
			}
		}
	}, mops.Concurrency(many.Calls)) {
		took.Goroutines = max(took.Goroutines, runtime.NumGoroutine()-before)
		switch {
		case r.Err == nil && r.Out == r.In*r.In && r.Info.Outcome == mops.Computed:
			took.Right++
		case len(took.Errors) < 10:
			took.Errors = append(took.Errors, fmt.Sprintf("%d: %d, %s, %v", r.In, r.Out, r.Info.Outcome, r.Err))
		}
	}
	took.Computed, took.Resident = int(computed.Load()), mostResident()
	return json.NewEncoder(os.Stdout).Encode(took)
}

// played plays the containers that simulated pods do not have: once the Job of a call
// has succeeded, the call is computed here.
type played struct{ jobs *k8s.Executor }

func (played) Name() string   { return "played" }
func (played) RunsHere() bool { return true }

func (p played) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	w, err := p.jobs.Start(ctx, inv)
	return playedWorker{w, inv.Work}, err
}

func (p played) Attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	return p.jobs.Attach(ctx, inv, handle)
}

type playedWorker struct {
	executor.Worker
	work func(context.Context) int
}

func (w playedWorker) Wait(ctx context.Context) (executor.Exit, error) {
	exit, err := w.Worker.Wait(ctx)
	if err == nil && exit.Code == executor.ExitOK {
		exit.Code = w.work(ctx)
	}
	return exit, err
}

// mostResident is the peak of this process's memory; see proc_pid_status(5).
func mostResident() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	kib, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return kib << 10
}

// Many calls at once in one program, each with a Job of its own: every result is
// right, and computed once; no Job is lost or created twice; a Job takes one request,
// whatever there are. At full size it is 10,000 of them in less than 1 GiB, with the
// caller's records, leases and values.
func TestManyJobs(t *testing.T) {
	n, start := 1000, cluster.Simulated
	if soak {
		n, start = 10_000, ownSimulated
	}
	c := start(t)
	proxy, kubeconfig := c.Behind(t)
	asked := map[string]int{}
	proxy.Observe(func(r *http.Request) {
		kind := r.Method + " " + path.Base(r.URL.Path)
		if r.URL.Query().Has("watch") {
			kind = "watch"
		}
		asked[kind]++
	})
	many := Many{Kubeconfig: kubeconfig, Namespace: c.Namespace(t), Calls: n}
	begun := time.Now()
	var took Took
	runProgram(t, "many", many, &took)
	proxy.Reset() // nothing is counted any more
	lasted := time.Since(begun)
	all, questions := 0, 0
	for kind, times := range asked {
		all += times
		// About Jobs that have no pod for long, or that no watch has seen: here all Jobs
		// wait, for one controller.
		if kind == "GET events" || strings.HasPrefix(kind, "GET mops-") {
			questions += times
		}
	}
	t.Logf("%d Jobs took %v, %d goroutines, %d MiB, %.2f requests each: %v; %s",
		n, lasted.Round(time.Second/10), took.Goroutines, took.Resident>>20, float64(all)/float64(n), asked, serverSize(t, c))
	if took.Right != n || took.Computed != n {
		t.Errorf("%d of %d are right, %d were computed; of the others: %s", took.Right, n, took.Computed, took.Errors)
	}
	if took.Goroutines > 4*n+200 { // of the caller: none is the executor's; connections, and the requests under way
		t.Errorf("%d calls had %d goroutines", n, took.Goroutines)
	}
	if took.Resident <= 0 || took.Resident >= 1<<30 {
		t.Errorf("%d Jobs took %d MiB", n, took.Resident>>20)
	}
	// The server ends watches of who is slow to read.
	if asked["POST jobs"] != n || asked["GET jobs"]+asked["GET pods"] > 8 || all-n-questions > 20+n/50 || questions > 20*int(lasted.Seconds()) {
		t.Errorf("%d Jobs took the requests %v", n, asked)
	}
	if jobs, pods := created(t, c, many.Namespace); jobs != n || pods != n {
		t.Errorf("there are %d Jobs and %d pods, want %d", jobs, pods, n)
	}
}

// ownSimulated is a cluster for one test: to delete ten thousand Jobs would keep
// the machine busy long after.
func ownSimulated(tb testing.TB) *cluster.Cluster {
	tb.Helper()
	c, err := cluster.StartSimulated(tb.Context())
	switch {
	case errors.Is(err, cluster.ErrMissing):
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// created is how many Jobs and pods there are.
func created(t *testing.T, c *cluster.Cluster, namespace string) (jobs, pods int) {
	t.Helper()
	cached := metav1.ListOptions{ResourceVersion: "0"}
	allJobs, err := c.Client().BatchV1().Jobs(namespace).List(t.Context(), cached)
	if err != nil {
		t.Fatal(err)
	}
	allPods, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), cached)
	if err != nil {
		t.Fatal(err)
	}
	return len(allJobs.Items), len(allPods.Items)
}

// serverSize says how large etcd and the API server have become.
func serverSize(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	metrics, err := c.Client().Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]float64{}
	for line := range strings.Lines(string(metrics)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ = strings.Cut(name, "{")
		sizes[name], _ = strconv.ParseFloat(value, 64)
	}
	return fmt.Sprintf("etcd %.0f MiB, API server %.0f MiB", sizes["apiserver_storage_size_bytes"]/(1<<20), sizes["process_resident_memory_bytes"]/(1<<20))
}

// runProgram runs a program of this test binary, without the race detector: that
// would count for more memory than the program's own, and for 8,128 goroutines at
// the most.
func runProgram(t *testing.T, name string, arguments, report any) {
	t.Helper()
	path, err := enginetest.Plain()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "arguments")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, path)
	command.Env = append(os.Environ(), enginetest.ProgramVariable+"="+name, enginetest.ArgumentsVariable+"="+file, "MOPS_ROOT=file://"+t.TempDir())
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err = errors.Join(err, json.Unmarshal(out, report)); err != nil {
		t.Fatalf("%v; standard error:\n%s", err, stderr.Bytes())
	}
}
