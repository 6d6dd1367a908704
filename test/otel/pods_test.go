package otel

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/image"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// What the program that calls pods is told, by variables.
const (
	imageVariable     = "TEST_IMAGE"
	namespaceVariable = "TEST_NAMESPACE"
	placeVariable     = "TEST_PLACE" // a folder of this machine, which pods have at there
	there             = "/mnt/place"
)

// runPods makes a call in a Job of its own, and two in one that they share.
func runPods(ctx context.Context) error {
	ctx, span := otel.Tracer("test").Start(ctx, "program")
	defer span.End()
	place := os.Getenv(placeVariable)
	at := k8s.New(
		k8s.Namespace(os.Getenv(namespaceVariable)), k8s.Image(os.Getenv(imageVariable)), k8s.CPU("10m"), k8s.Memory("128Mi"),
		k8s.HostPath(there, place), k8s.Root("file://"+place, "file://"+there), k8s.RunAs(0, 0),
		k8s.Env(programVariable, "1"), k8s.Env(hastyVariable, os.Getenv(hastyVariable)),
		k8s.Env("OTEL_EXPORTER_OTLP_ENDPOINT", os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")),
		k8s.Env("OTEL_SERVICE_NAME", os.Getenv("OTEL_SERVICE_NAME")),
	)
	if _, err := slow.With(mops.On(at)).Call(ctx, "alone"); err != nil {
		return err
	}
	_, err := slow.With(mops.On(at.With(k8s.Pack(10*time.Second), k8s.SideBySide(2)))).All(ctx, []string{"packed", "beside"})
	return err
}

// podProgram starts the program that calls pods, on the real cluster.
type podProgram struct {
	cluster *cluster.Cluster
	image   string
}

func newPodProgram(t *testing.T) podProgram {
	t.Helper()
	c := cluster.Real(t)
	path, err := enginetest.Plain()
	if err != nil {
		t.Fatal(err)
	}
	reference, _, err := image.FromSelf(c.Registry+"/otel", image.Binary(path), image.Insecure())(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return podProgram{c, reference}
}

// run runs the program against a collector, and says how long that took.
func (p podProgram) run(t *testing.T, endpoint string, env ...string) (said string, took time.Duration) {
	t.Helper()
	place := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), programVariable+"=1", imageVariable+"="+p.image, namespaceVariable+"="+p.cluster.Namespace(t), placeVariable+"="+place,
		"KUBECONFIG="+p.cluster.Kubeconfig, "MOPS_ROOT=file://"+place+"/root", "MOPS_CACHE="+t.TempDir(),
		"OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_SERVICE_NAME=thinker")
	cmd.Env = append(cmd.Env, env...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out), time.Since(began)
}

// TestPods has one trace of a program and its pods, in which each call has its own
// worker's spans, where two calls share a Job, too.
func TestPods(t *testing.T) {
	s := newStack(t)
	p := newPodProgram(t)
	collector := "http://" + p.cluster.Forward(t, strings.TrimPrefix(s.endpoint, "http://"))
	_, usual := p.run(t, collector)
	t.Logf("it took %v", usual)
	t.Run("one trace", s.podTraces)
	t.Run("a collector that is down", func(t *testing.T) {
		for name, address := range map[string]string{"nobody listens": p.refuses(t), "it does not answer": p.hangs(t)} {
			// A program that waits does so each time; a machine is busy now and then.
			for try := 1; ; try++ {
				said, took := p.run(t, "http://"+address, hastyVariable+"=1")
				t.Logf("%s: it took %v", name, took)
				if n := strings.Count(said, "OpenTelemetry"); n > 1 {
					t.Errorf("%s: it says so %d times:\n%s", name, n, said)
				}
				if took <= usual+2*time.Second+3*time.Second+10*time.Second { // two pods, the program, the machine
					break
				}
				if try == 4 {
					t.Fatalf("%s: it took %v, and %v with a collector", name, took, usual)
				}
				_, usual = p.run(t, collector, hastyVariable+"=1")
			}
		}
	})
}

// refuses and hangs are addresses that pods reach.
func (p podProgram) refuses(t *testing.T) string {
	l := p.cluster.Listen(t)
	l.Close()
	return l.Addr().String()
}

func (p podProgram) hangs(t *testing.T) string {
	l := p.cluster.Listen(t)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
	})
	return l.Addr().String()
}

// podTraces looks at what the collector got.
func (s *stack) podTraces(t *testing.T) {
	defer func() {
		if t.Failed() {
			t.Logf("%+v", s.spans)
		}
	}()
	const thinks = "program > call test/slow@0 > attempt test/slow@0 > run test/slow@0 > think"
	eventually(t, "the spans of pods are below those of their calls", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		above := map[string]span{}
		for _, x := range s.spans {
			above[x.SpanID] = x
		}
		jobs := map[string]string{} // by input
		for _, x := range s.spans {
			if x.TraceID != s.spans[0].TraceID {
				return fmt.Errorf("%q is in another trace", x.Name)
			}
			if x.Name != "think" {
				continue
			}
			path, run := x.Name, above[x.ParentSpanID]
			for at := x; at.ParentSpanID != ""; {
				at = above[at.ParentSpanID]
				path = at.Name + " > " + path
			}
			if path != thinks {
				return fmt.Errorf("%q", path)
			}
			attempt := above[run.ParentSpanID]
			call := above[attempt.ParentSpanID]
			in := x.Attributes.get("in")
			// The pod has the root elsewhere, so that the URIs differ but in their ends.
			if ends := lastPart(run.Attributes.get("mops.memo.uri")); ends == "" || ends != lastPart(call.Attributes.get("mops.memo.uri")) {
				return fmt.Errorf("the worker of %s is below another call: %v, %v", in, run, call)
			}
			if id := run.Attributes.get("mops.run.id"); id == "" || id != attempt.Attributes.get("mops.run.id") || id != call.Attributes.get("mops.run.id") {
				return fmt.Errorf("the worker of %s is below another attempt: %v, %v", in, run, attempt)
			}
			if run.host == call.host || !strings.HasPrefix(run.host, "mops-") {
				return fmt.Errorf("%s ran on %s", in, run.host)
			}
			jobs[in] = run.host
		}
		if len(jobs) != 3 || jobs["packed"] != jobs["beside"] || jobs["packed"] == jobs["alone"] {
			return fmt.Errorf("they ran on %v", jobs)
		}
		for in := range jobs {
			if !slices.ContainsFunc(s.lines, func(l line) bool {
				return l.Body.StringValue == "thinking of "+in && l.TraceID == s.spans[0].TraceID && above[l.SpanID].Name == "think"
			}) {
				return fmt.Errorf("the line of %s is not in its span", in)
			}
		}
		return nil
	})
}

func lastPart(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }
