package k8stest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// window is how many calls are under way at a time: as many as packs take.
const window = 10_000

// squarePacked is a call that takes no time.
var squarePacked = mops.Define("k8stest/square-packed", func(_ context.Context, n int) (int, error) { return n * n, nil })

// Packed is how many calls a program makes at a cluster, and where.
type Packed struct {
	Kubeconfig, Namespace string
	Calls, Side, Limit    int
}

// TookPacked is what they took.
type TookPacked struct {
	Right      int // results
	Errors     []string
	Goroutines int   // at the most
	Resident   int64 // memory at the most, in bytes
}

// runPacked makes calls that are put together.
func runPacked(ctx context.Context) error {
	var packed Packed
	if err := enginetest.Arguments(&packed); err != nil {
		return err
	}
	place := strings.TrimPrefix(os.Getenv("MOPS_ROOT"), "file://")
	at := k8s.New(k8s.Kubeconfig(packed.Kubeconfig), k8s.Namespace(packed.Namespace), k8s.Image("program:1"), k8s.HostPath(place, place),
		k8s.Pack(time.Minute), k8s.SideBySide(packed.Side), k8s.Limit(packed.Limit), playedPods())
	var took TookPacked
	for r := range squarePacked.With(mops.On(at)).Each(ctx, func(yield func(int) bool) {
		for n := range packed.Calls {
			if !yield(n) {
				return
			}
		}
	}, mops.Concurrency(window)) {
		took.Goroutines = max(took.Goroutines, runtime.NumGoroutine())
		switch {
		case r.Err == nil && r.Out == r.In*r.In:
			took.Right++
		case len(took.Errors) < 10:
			took.Errors = append(took.Errors, fmt.Sprintf("%d: %d, %v", r.In, r.Out, r.Err))
		}
	}
	took.Resident = mostResident()
	return json.NewEncoder(os.Stdout).Encode(took)
}

// Short calls of one program on a cluster, in packs: the memory of the program and what
// the cluster has to keep at a time do not grow with their number, and each thousand
// costs few requests. At full size it is 100,000 of them in less than 1 GiB.
func TestManyPackedCalls(t *testing.T) {
	const side, limit = 2, 4 // so that two pods share the two processors that a machine has at least
	n, start := 3000, cluster.Simulated
	if soak {
		n, start = 100_000, ownSimulated
	}
	binary, err := enginetest.Plain()
	if err != nil {
		t.Fatal(err)
	}
	c := start(t)
	proxy, kubeconfig := c.Behind(t)
	asked, requests := map[string]int{}, 0
	proxy.Observe(func(r *http.Request) {
		kind := r.Method + " " + path.Base(r.URL.Path)
		if r.URL.Query().Has("watch") {
			kind = "watch"
		}
		asked[kind]++
		requests++
	})
	packed := Packed{Kubeconfig: kubeconfig, Namespace: c.Namespace(t), Calls: n, Side: side, Limit: limit}
	pods, stop := playPods(t, c, packed.Namespace, binary)
	begun := time.Now()
	var took TookPacked
	runProgram(t, "packed", packed, &took)
	lasted := time.Since(begun)
	proxy.Reset() // nothing is counted any more
	stop()
	t.Logf("%d calls took %v, %.0f each second, %d goroutines, %d MiB, %d requests %v, at a time %d Jobs and %d pods, in all %d and %d",
		n, lasted.Round(time.Second/10), float64(n)/lasted.Seconds(), took.Goroutines, took.Resident>>20, requests, asked,
		pods.jobs.most, pods.pods.most, pods.jobs.ever, pods.pods.ever)
	if took.Right != n {
		t.Errorf("%d of %d results are right; of the others: %s", took.Right, n, took.Errors)
	}
	if took.Goroutines > 2*window+500 { // of each call that was let in its caller's and its own
		t.Errorf("%d calls had %d goroutines", n, took.Goroutines)
	}
	if took.Resident <= 0 || took.Resident >= 1<<30 {
		t.Errorf("%d calls took %d MiB", n, took.Resident>>20)
	}
	// Events are asked for where a Job has no pod for long.
	if requests-asked["GET events"] > 60+n*40/1000 {
		t.Errorf("%d calls took the requests %v", n, asked)
	}
	if pods.jobs.most > 2*limit || pods.pods.most > 2*limit || pods.jobs.ever > 20+n/1000 {
		t.Errorf("%d calls had %d Jobs and %d pods at a time, and %d Jobs in all", n, pods.jobs.most, pods.pods.most, pods.jobs.ever)
	}
}
