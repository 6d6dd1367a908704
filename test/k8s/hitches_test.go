package k8s_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// startMany starts workers side by side.
func startMany(t *testing.T, e *Executor, n int) []executor.Worker {
	t.Helper()
	workers := make([]executor.Worker, n)
	var starting sync.WaitGroup
	for i := range workers {
		starting.Go(func() {
			w, err := e.Start(t.Context(), newCall())
			if err != nil {
				t.Error(err)
				return
			}
			workers[i] = w
		})
	}
	if starting.Wait(); t.Failed() {
		t.FailNow()
	}
	return workers
}

// allEnd checks that all workers succeed, each with one Job that is not tried again.
func allEnd(t *testing.T, c *testcluster.Cluster, namespace string, workers []executor.Worker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	var waiting sync.WaitGroup
	for _, w := range workers {
		waiting.Go(func() {
			if exit, err := w.Wait(ctx); err != nil || exit.Code != 0 || exit.Err != nil {
				t.Errorf("%s: %d, %v, %v", w.Handle(), exit.Code, exit.Err, err)
			}
		})
	}
	waiting.Wait()
	jobs, err := c.Client().BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) != len(workers) {
		t.Errorf("%d Jobs for %d workers, %v", len(jobs.Items), len(workers), err)
	}
	for _, job := range jobs.Items {
		if job.Status.Failed > 0 {
			t.Errorf("of %s %d pods failed", job.Name, job.Status.Failed)
		}
	}
}

func TestAPIServerStartsAgain(t *testing.T) {
	e, c, namespace := simulated(t, ends(0, 15*time.Second))
	workers := startMany(t, e, 200)
	if err := c.StopAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One that is started meanwhile waits for it.
	var late executor.Worker
	var starting sync.WaitGroup
	starting.Go(func() {
		w, err := e.Start(t.Context(), newCall())
		if err != nil {
			t.Error(err)
		}
		late = w
	})
	if err := c.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if starting.Wait(); t.Failed() {
		t.FailNow()
	}
	allEnd(t, c, namespace, append(workers, late))
}

func TestHitches(t *testing.T) {
	t.Parallel()
	isWatch := func(r *http.Request) bool {
		return strings.Contains(r.URL.RawQuery, "watch=true") || strings.Contains(r.URL.RawQuery, "watch=1")
	}
	status := func(code int, reason string) faultproxy.Fault {
		return faultproxy.Answer(code, http.Header{"Content-Type": {"application/json"}}, fmt.Sprintf(
			`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"as it happens","reason":%q,"code":%d}`, reason, code))
	}
	expired := faultproxy.Answer(200, http.Header{"Content-Type": {"application/json"}},
		`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old resource version","reason":"Expired","code":410}}`+"\n")
	for _, test := range []struct {
		name  string
		times int
		fault faultproxy.Fault
		of    func(*http.Request) bool
		least int // how often it happens at least: a watch that is slow has less to break
	}{
		{"a creation is not answered", 5, faultproxy.LoseAnswer(), faultproxy.Method(http.MethodPost), 5},
		{"too many requests", 20, faultproxy.Answer(429, http.Header{"Retry-After": {"1"}}, ""), faultproxy.Method(http.MethodPost), 20},
		{"watches break", 8, faultproxy.CutAfter(2000), isWatch, 2},
		{"versions expire", 6, expired, isWatch, 2},
		{"lists fail", 4, status(500, "InternalError"), faultproxy.Method(http.MethodGet), 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, c, namespace := simulated(t, ends(0, 4*time.Second))
			proxy, kubeconfig := c.Behind(t)
			e = e.With(Kubeconfig(kubeconfig))
			// Nobody has patience for a cluster that has never answered.
			await(t, start(t, e.With(Namespace(c.Namespace(t)), ends(0, 0)), newCall()))
			var struck atomic.Int64
			proxy.Strike(test.times, test.fault, func(r *http.Request) bool {
				if !test.of(r) {
					return false
				}
				struck.Add(1)
				return true
			})
			allEnd(t, c, namespace, startMany(t, e, 20))
			if n := struck.Load(); n < int64(test.least) {
				t.Errorf("it happened %d times only", n)
			}
		})
	}
	t.Run("a token expires", func(t *testing.T) {
		t.Parallel()
		e, c, namespace := simulated(t, ends(0, 4*time.Second))
		proxy, kubeconfig := c.Behind(t)
		e = e.With(Kubeconfig(kubeconfig))
		proxy.Strike(1, faultproxy.CutAfter(2000), isWatch)
		workers := startMany(t, e, 10)
		renewed := time.Now().Add(6 * time.Second)
		proxy.Strike(-1, status(401, "Unauthorized"), func(*http.Request) bool { return time.Now().Before(renewed) })
		allEnd(t, c, namespace, append(workers, startMany(t, e, 10)...))
	})
	t.Run("a token that is none", func(t *testing.T) {
		t.Parallel()
		e, c, _ := simulated(t)
		proxy, kubeconfig := c.Behind(t)
		proxy.Strike(-1, status(401, "Unauthorized"), faultproxy.Any)
		_, err := e.With(Kubeconfig(kubeconfig)).Start(t.Context(), newCall())
		failsWith(t, err, executor.LaunchRejected, "log in again")
	})
}
