package otel

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/debian"
	"github.com/TrilliantHealth/mops-go/test/toolcache"
)

// stack is a collector with a Prometheus that asks it, and a place to which it sends
// traces and logs.
type stack struct {
	endpoint   string // for OTLP
	prometheus string
	page       string // docs/opentelemetry.md

	mu    sync.Mutex
	spans []span
	lines []line
}

// span and line are what the collector sends, in OTLP's JSON.
type span struct {
	TraceID, SpanID, ParentSpanID, Name string
	Attributes                          attributes
	host                                string // host.name of its process
}

type line struct {
	TraceID, SpanID string
	Body            struct{ StringValue string }
}

type attributes []struct {
	Key   string
	Value struct{ StringValue string }
}

func (all attributes) get(key string) string {
	for _, a := range all {
		if a.Key == key {
			return a.Value.StringValue
		}
	}
	return ""
}

func newStack(t *testing.T) *stack {
	t.Helper()
	if testing.Short() {
		t.Skip("left out: builds an OpenTelemetry collector, for some minutes")
	}
	page, err := os.ReadFile("../../docs/opentelemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{page: string(page)}
	collector, prometheus := theCollector(t), thePrometheus(t)
	sink := httptest.NewServer(http.HandlerFunc(s.take))
	t.Cleanup(sink.Close)

	otlp, metrics := freeAddress(t), freeAddress(t)
	config := filepath.Join(t.TempDir(), "collector.yaml")
	text := strings.NewReplacer("localhost:4318", otlp, "localhost:8889", metrics, "http://localhost:9318", sink.URL+"\n    encoding: json\n    compression: none").
		Replace(blocks(s.page, "yaml")[0])
	write(t, config, text+"  telemetry:\n    metrics:\n      level: none\n")
	start(t, exec.Command(collector, "--config", config))
	s.endpoint = "http://" + otlp

	listen, scrape := freeAddress(t), filepath.Join(t.TempDir(), "prometheus.yaml")
	write(t, scrape, fmt.Sprintf("global: {scrape_interval: 200ms}\nscrape_configs:\n- {job_name: otel, honor_labels: true, static_configs: [{targets: [%q]}]}\n", metrics))
	start(t, exec.Command(prometheus, "--config.file="+scrape, "--web.listen-address="+listen, "--storage.tsdb.path="+t.TempDir()))
	s.prometheus = "http://" + listen
	for _, url := range []string{"http://" + metrics + "/metrics", s.prometheus + "/-/ready"} {
		eventually(t, url+" answers", func() error { return ok(http.Get(url)) })
	}
	return s
}

// theCollector is the path of the collector, built once on this machine.
func theCollector(t *testing.T) string {
	t.Helper()
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		text, err := os.ReadFile(filepath.Join("collector", name))
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(text)
	}
	folder, err := toolcache.Folder(fmt.Sprintf("otel-collector-%.8x", hash.Sum(nil)), func(folder string) error {
		t.Log("building a collector")
		said, err := exec.CommandContext(t.Context(), "go", "-C", "collector", "build", "-ldflags=-s -w", "-o", filepath.Join(folder, "collector"), ".").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, said)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the collector cannot be built: %v", err)
	}
	return filepath.Join(folder, "collector")
}

// thePrometheus is the path of Prometheus: what is installed, or else Debian's, which
// is unpacked into the cache folder.
func thePrometheus(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("prometheus"); err == nil {
		return path
	}
	if !debian.Usable() {
		t.Skip("left out: prometheus is not installed, and only root on Debian gets it with apt-get")
	}
	folder, err := toolcache.Folder("prometheus-debian", func(folder string) error { return debian.Unpack(t.Context(), folder, "prometheus") })
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "usr/bin/prometheus")
}

// start runs a program until the test ends.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(cmd.Path)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
		if text, err := os.ReadFile(out.Name()); err == nil && t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, text)
		}
	})
}

// take gets traces and logs from the collector.
func (s *stack) take(w http.ResponseWriter, r *http.Request) {
	var got struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes attributes }
			ScopeSpans []struct{ Spans []span }
		}
		ResourceLogs []struct{ ScopeLogs []struct{ LogRecords []line } }
	}
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range got.ResourceSpans {
		for _, scope := range r.ScopeSpans {
			for _, x := range scope.Spans {
				x.host = r.Resource.Attributes.get("host.name")
				s.spans = append(s.spans, x)
			}
		}
	}
	for _, r := range got.ResourceLogs {
		for _, scope := range r.ScopeLogs {
			s.lines = append(s.lines, scope.LogRecords...)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, "{}")
}

// sample is one line of an answer of Prometheus.
type sample struct {
	Metric map[string]string
	Value  [2]any // time, value as text
}

// ask asks Prometheus.
func (s *stack) ask(query string) (samples []sample, err error) {
	response, err := http.PostForm(s.prometheus+"/api/v1/query", url.Values{"query": {query}})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", query, answer.Error)
	}
	return answer.Data.Result, nil
}

// blocks are the fenced blocks of a page in one language.
func blocks(page, language string) (all []string) {
	for _, part := range strings.Split(page, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		all = append(all, block)
	}
	return all
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// freeAddress is one where nobody listens: below the ports that Linux gives to clients
// and to who asks for any, so that it is still free when a program comes to listen there.
func freeAddress(t *testing.T) string {
	t.Helper()
	var failed error
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.N(10_000)))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
		failed = err
	}
	t.Fatal(failed)
	return ""
}

func ok(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// eventually asks until there is no error, for at most five minutes.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s: not so: %v", what, err)
		}
	}
}
