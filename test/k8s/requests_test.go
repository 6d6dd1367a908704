package k8s_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
	. "github.com/TrilliantHealth/mops-go/k8s"
)

// requests counts what is asked of an API server, by what it is for.
type requests struct {
	mu    sync.Mutex
	times map[string]int
	since time.Time // of the first since the last check
}

func (r *requests) note(request *http.Request) {
	kind := request.Method + " " + path.Base(request.URL.Path)
	if request.Method == http.MethodGet && request.URL.Query().Get("watch") != "" {
		kind = "WATCH " + path.Base(request.URL.Path)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.times == nil {
		r.times, r.since = map[string]int{}, time.Now()
	}
	r.times[kind]++
}

// take is how often something was asked since the last check, which does not look at
// it then.
func (r *requests) take(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer delete(r.times, kind)
	return r.times[kind]
}

// are checks what was asked since the last time. Events are asked for if a pod is
// not ready within 10 s, and a Job if no watch has seen it within 5 s, which on a
// loaded machine says nothing.
func (r *requests) are(t *testing.T, what string, want map[string]int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.times, "GET events")
	if time.Since(r.since) >= 5*time.Second {
		maps.DeleteFunc(r.times, func(kind string, _ int) bool { return strings.HasPrefix(kind, "GET mops-") && want[kind] == 0 })
	}
	if !maps.Equal(r.times, want) {
		t.Errorf("%s: the requests are %v, want %v", what, r.times, want)
	}
	r.times = nil
}

// A call is one request. What a process asks once for a namespace are two lists and
// two watches.
func TestRequests(t *testing.T) {
	t.Parallel()
	e, c, _ := simulated(t)
	proxy, kubeconfig := c.Behind(t)
	e = e.With(Kubeconfig(kubeconfig))
	var asked requests
	proxy.Observe(asked.note)

	long := newCall()
	w := start(t, e.With(ends(0, time.Hour)), long)
	asked.are(t, "the first call", map[string]int{"GET jobs": 1, "GET pods": 1, "WATCH jobs": 1, "WATCH pods": 1, "POST jobs": 1})

	others := startMany(t, e.With(ends(0, 0)), 10)
	for _, w := range append(others, start(t, e.With(ends(46, 0)), newCall())) {
		await(t, w)
	}
	asked.are(t, "eleven more", map[string]int{"POST jobs": 11})

	if _, err := e.Attach(t.Context(), long, w.Handle()); err != nil {
		t.Error(err)
	}
	_, name, _ := strings.Cut(w.Handle(), "/")
	asked.are(t, "to attach", map[string]int{"GET " + name: 1})

	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	asked.are(t, "to stop", map[string]int{"DELETE " + name: 1})
}

// A log that is shown takes one request more.
func TestRequestsForLogs(t *testing.T) {
	t.Parallel()
	e, c, _ := onReal(t, does("lines", "LINES", "10 20ms"))
	proxy, kubeconfig := c.Behind(t)
	e = e.With(Kubeconfig(kubeconfig))
	const n = 6
	var asked requests
	proxy.Observe(asked.note)
	var running sync.WaitGroup
	var again atomic.Int64
	for range n {
		running.Go(func() {
			var printed bytes.Buffer
			var last time.Time // when something was printed
			inv := newCall()
			inv.Log = func(chunk []byte) {
				printed.Write(chunk)
				last = time.Now()
			}
			if exit := await(t, start(t, e, inv)); exit.Err != nil || printed.String() != numbered(10, "") {
				t.Errorf("%v; it printed %q", exit.Err, &printed)
			}
			// A log is looked at again if the node tells later than this that its container has ended.
			again.Add(int64(time.Since(last) / (3 * time.Second)))
		})
	}
	running.Wait()
	if logs := asked.take("GET log"); logs < n || logs > n+int(again.Load()) {
		t.Errorf("%d logs took %d requests, of which %d were to be made again", n, logs, again.Load())
	}
	asked.are(t, "six calls", map[string]int{"GET jobs": 1, "GET pods": 1, "WATCH jobs": 1, "WATCH pods": 1, "POST jobs": n})
}

// A server that throttles is obeyed: what it refused is asked again after the time
// that it named, not sooner, however often. All is done, and once.
func TestThrottled(t *testing.T) {
	t.Parallel()
	const n, perSecond = 24, 2
	e, c, namespace := simulated(t, ends(0, 0))
	proxy, kubeconfig := c.Behind(t)
	var (
		mu      sync.Mutex
		window  time.Time
		left    int
		refused = map[string]time.Time{}
		hasty   int
	)
	refuse := faultproxy.Answer(http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}}, "")
	proxy.Strike(-1, func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		mu.Lock()
		now := time.Now()
		if at, ok := refused[string(body)]; ok && now.Sub(at) < time.Second {
			hasty++
		}
		if now.Sub(window) >= time.Second {
			window, left = now, perSecond
		}
		passes := left > 0
		if passes {
			left--
		} else {
			refused[string(body)] = now
		}
		mu.Unlock()
		if passes {
			pass(nil)
		} else {
			refuse(w, r, nil)
		}
	}, faultproxy.Method(http.MethodPost))
	begun := time.Now()
	workers := startMany(t, e.With(Kubeconfig(kubeconfig)), n)
	if took := time.Since(begun); hasty > 0 || took < (n/perSecond-1)*time.Second {
		t.Errorf("%d requests came too early; all took %v", hasty, took)
	}
	allEnd(t, c, namespace, workers)
}
