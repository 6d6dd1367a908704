package k8stest_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// shortWork is a call of 10 ms.
var shortWork = mops.Define("k8stest/short", func(ctx context.Context, n int) (int, error) {
	select {
	case <-time.After(10 * time.Millisecond):
		return n * n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
})

// Short calls in packs, against a Job for each, and against subprocesses of this
// machine that stay: all three on the same machine, in turns, as many side by side.
//
// Budgets: packed at 100 times the rate of a Job each and at 0.6 of the rate of
// subprocesses, with at most 40 requests to the API server for 1,000 calls, those
// of the cluster itself included.
func BenchmarkPack(b *testing.B) {
	const side = 8
	packed, local, single := 10_000, 3_000, 40
	c := cluster.Real(b)
	place := b.TempDir()
	calls := Calls{Namespace: c.Namespace(b), Image: pushed(b, c), Place: place}
	b.Setenv("KUBECONFIG", c.Kubeconfig)
	env, err := mops.New(b.Context(), mops.Isolated(), mops.Root("file://"+place+"/root"), mops.CacheDir(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { env.Close() })
	ctx, next := env.Context(b.Context()), 0
	rate := func(n int, on executor.Executor) float64 {
		b.Helper()
		ins := make([]int, n)
		for i := range ins {
			next++
			ins[i] = next
		}
		began := time.Now()
		outs, err := shortWork.With(mops.On(on)).All(ctx, ins)
		if err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		for i, out := range outs {
			if out != ins[i]*ins[i] {
				b.Errorf("%d of %d", out, ins[i])
			}
		}
		return float64(n) / took.Seconds()
	}
	at := calls.executor().With(k8s.Memory("256Mi"))
	// A pod that asks for less gets less beside the program, which nothing holds back.
	pack := at.With(k8s.Pack(time.Minute), k8s.SideBySide(side), k8s.CPU("500m"))
	rate(1, at) // the image is on the node then
	var ofPack, ofJobs, ofLocal, asked float64
	rounds := 0.0
	for b.Loop() {
		rounds++
		ofJobs += rate(single, at)
		before := controlPlane(b, c)
		ofPack += rate(packed, pack)
		asked += (controlPlane(b, c) - before) / float64(packed) * 1000
		ofLocal += rate(local, subprocess.New(subprocess.Stay(), subprocess.Limit(side)))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ofJobs/rounds, "jobs/s")
	b.ReportMetric(ofPack/rounds, "packed/s")
	b.ReportMetric(ofLocal/rounds, "local/s")
	b.ReportMetric(ofPack/ofJobs, "times-jobs")
	b.ReportMetric(ofPack/ofLocal, "of-local")
	b.ReportMetric(asked/rounds, "requests/1000")
}

// controlPlane is how many requests about Jobs, pods and events the API server has
// had, from whomever.
func controlPlane(t testing.TB, c *cluster.Cluster) (n float64) {
	t.Helper()
	text, err := c.Client().Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "apiserver_request_total{") || !aboutWork.MatchString(line) {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			t.Fatal(fmt.Errorf("%q: %w", line, err))
		}
		n += value
	}
	return n
}

var aboutWork = regexp.MustCompile(`resource="(jobs|pods|events)"`)
