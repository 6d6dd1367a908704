package otelmops_test

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
)

// The spans of a program, of its calls, of their workers and of the functions form one
// trace; its log lines are in it.
func TestOneTrace(t *testing.T) {
	t.Run("a process for each call", func(t *testing.T) { testOneTrace(t) })
	t.Run("processes that stay", func(t *testing.T) { testOneTrace(t, stayVariable+"=1") })
}

func testOneTrace(t *testing.T, env ...string) {
	c := newCollector(t)
	out, _ := program(t, c.URL, env...)
	c.await(t, 2, 3) // processes that stay end after the program
	c.mu.Lock()
	defer c.mu.Unlock()
	var paths []string
	for _, s := range c.spans {
		if string(s.TraceId) != string(c.spans[0].TraceId) {
			t.Errorf("%q is in another trace", s.Name)
		}
		if path := c.path(s); !strings.HasSuffix(path, "starting") { // as fast as it may be
			paths = append(paths, path)
		}
		if s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("%q ends before it begins", s.Name)
		}
	}
	slices.Sort(paths)
	const (
		far   = "program > call test/quadruple@0 > attempt test/quadruple@0 > run test/quadruple@0"
		inner = far + " > call test/double@0 > attempt test/double@0"
		fails = "program > call test/double@0 > attempt test/double@0 > run test/double@0"
	)
	for want, n := range map[string]int{
		"program": 1, far: 1, inner: 2, inner + " > multiply": 2, fails: 1, fails + " > multiply": 1, "program > call test/quadruple@0": 1,
	} {
		if got := count(paths, want); got != n {
			t.Errorf("%d spans %s, want %d, in\n%s", got, want, n, strings.Join(paths, "\n"))
		}
	}
	var doubling int
	for _, l := range c.logs {
		if l.Body.GetStringValue() == "doubling" && string(l.TraceId) == string(c.spans[0].TraceId) {
			doubling++
		}
	}
	if doubling != 3 {
		t.Errorf("%d of the 3 lines of functions are in the trace", doubling)
	}
	if id := "trace_id=" + hex.EncodeToString(c.spans[0].TraceId); strings.Count(out, id) != 3 {
		t.Errorf("the lines of functions on standard error do not name the trace %s:\n%s", id, out)
	}
}

func TestMetrics(t *testing.T) {
	c := newCollector(t)
	program(t, c.URL)
	want := map[string]float64{
		"mops.outcome=hit": 1, "mops.outcome=computed": 1, "mops.outcome=failed error.type=function_error": 1,
	}
	got := map[string]float64{}
	for _, p := range c.metrics["mops.calls"].GetSum().GetDataPoints() {
		var parts []string
		for _, a := range p.Attributes {
			if a.Key != "mops.function" {
				parts = append(parts, a.Key+"="+a.Value.GetStringValue())
			}
		}
		slices.Sort(parts)
		slices.Reverse(parts)
		got[strings.Join(parts, " ")] += float64(p.GetAsInt())
	}
	if len(got) != len(want) {
		t.Errorf("mops.calls: %v, want %v", got, want)
	}
	for key, n := range want {
		if got[key] != n {
			t.Errorf("mops.calls: %v, want %v", got, want)
		}
	}
	for _, name := range []string{"mops.call.duration", "mops.attempt.duration", "mops.run.duration", "mops.run.cpu.time", "mops.run.memory.peak", "mops.store.operation.duration"} {
		if total(c.metrics[name]) == 0 {
			t.Errorf("%s has nothing", name)
		}
	}
	for _, p := range c.metrics["mops.call.active"].GetSum().GetDataPoints() {
		if p.GetAsInt() != 0 {
			t.Errorf("calls are under way at the end: %v", p)
		}
	}
}

func total(m *metrics.Metric) (n uint64) {
	for _, p := range m.GetHistogram().GetDataPoints() {
		n += p.Count
	}
	return n
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// A program does not notice that there is no collector: nothing waits for longer than
// is said, and one line tells of it.
func TestCollectorThatIsDown(t *testing.T) {
	refuses := httptest.NewServer(nil)
	refuses.Close()
	angry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusServiceUnavailable)
	}))
	defer angry.Close()
	c := newCollector(t)
	for _, down := range []struct {
		name, endpoint, timeout string
		longer                  time.Duration
	}{
		{"nobody listens", refuses.URL, "", time.Second},
		{"it does not answer", deaf(t), "", 2*time.Second + 3*time.Second + 2*time.Second}, // two workers, the program, the machine
		{"it is overloaded", angry.URL, "", 2*time.Second + 3*time.Second + 2*time.Second},
		{"it does not answer, and the program knows", deaf(t), "100", time.Second + 2*time.Second}, // the first worker
	} {
		t.Run(down.name, func(t *testing.T) {
			// A program that waits does so each time; a machine is busy now and then.
			for try := 1; ; try++ {
				_, usual := program(t, c.URL, hastyVariable+"=1")
				out, took := program(t, down.endpoint, hastyVariable+"=1", "OTEL_EXPORTER_OTLP_TIMEOUT="+down.timeout)
				t.Logf("%v, usually %v", took, usual)
				if n := strings.Count(out, "OpenTelemetry"); n > 1 {
					t.Errorf("it says so %d times:\n%s", n, out)
				}
				if took <= usual+down.longer {
					break
				}
				if try == 5 {
					t.Fatalf("it took %v, usually %v, and no less before", took, usual)
				}
			}
		})
	}
}
