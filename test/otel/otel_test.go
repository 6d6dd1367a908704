package otel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/otelmops/otlp"
	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// The functions of the program under test: one is slow, one fails at first.
var (
	slow = mops.Define("test/slow", func(ctx context.Context, in string) (string, error) {
		ctx, span := otel.Tracer("test").Start(ctx, "think", trace.WithAttributes(attribute.String("in", in)))
		defer span.End()
		mops.Logger(ctx).InfoContext(ctx, "thinking of "+in)
		time.Sleep(300 * time.Millisecond) // it is slow
		return in, nil
	})
	quick = mops.Define("test/quick", func(_ context.Context, in string) (string, error) { return in, nil })
	flaky = mops.Define("test/flaky", func(ctx context.Context, in string) (string, error) {
		if mops.RunInfo(ctx).Attempt == 1 {
			return "", errors.New("not yet")
		}
		return quick.Call(ctx, in)
	}, mops.Calls(quick))
)

const (
	programVariable = "TEST_PROGRAM"
	hastyVariable   = "TEST_HASTY" // the end of a process waits as it does for users, and no longer
)

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		options := []mops.EnvOption{mops.Progress("off"), otlp.Export()}
		switch {
		case os.Getenv(heldVariable) != "":
			options = []mops.EnvOption{mops.Progress("off"), mops.Instrument(makeDeaf), otlp.Export()}
		case os.Getenv(hastyVariable) == "":
			options = append(options, mops.Instrument(patient))
		}
		mops.Main(run, options...)
	}
	code := cluster.Run(m)
	enginetest.RemoveBuilt()
	os.Exit(code)
}

// patient has the processes of a program wait until what they have is sent. At its end,
// mops waits for a second or three, in which a busy machine may not get there.
func patient(bool) mops.Instruments {
	handOn := func(ctx context.Context) {
		for _, provider := range []any{otel.GetTracerProvider(), otel.GetMeterProvider(), otel.GetLoggerProvider()} {
			if p, can := provider.(interface{ ForceFlush(context.Context) error }); can {
				p.ForceFlush(ctx)
			}
		}
	}
	return mops.Instruments{Close: handOn, Begin: func(ctx context.Context, _ map[string]string, _ mops.Run) (context.Context, func(error)) {
		return ctx, func(error) { handOn(context.Background()) }
	}}
}

func run(ctx context.Context) error {
	if folder := os.Getenv(heldVariable); folder != "" {
		_, err := held.Call(ctx, folder)
		return err
	}
	if os.Getenv(placeVariable) != "" {
		return runPods(ctx)
	}
	ctx, span := otel.Tracer("test").Start(ctx, "program")
	defer span.End()
	far := mops.On(subprocess.New(subprocess.Limit(1)))
	if _, err := slow.With(far).All(ctx, []string{"one", "two"}); err != nil {
		return err
	}
	if _, err := flaky.With(far, mops.Retries(1)).Call(ctx, "three"); err != nil {
		return err
	}
	for range 10 { // hits
		if _, err := slow.Call(ctx, "one"); err != nil {
			return err
		}
	}
	return nil
}

// TestCollectorAndPrometheus runs a program twice, in one root.
func TestCollectorAndPrometheus(t *testing.T) {
	s := newStack(t)
	root := "file://" + t.TempDir()
	for range 2 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), programVariable+"=1", "MOPS_ROOT="+root, "MOPS_STATE="+t.TempDir(), "MOPS_CACHE="+t.TempDir(),
			"OTEL_EXPORTER_OTLP_ENDPOINT="+s.endpoint, "OTEL_SERVICE_NAME=thinker")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	t.Run("one trace for a program and its workers", s.traces)
	t.Run("the queries of the page", s.queries)
}

func (s *stack) traces(t *testing.T) {
	var last []string
	defer func() {
		if t.Failed() {
			t.Logf("spans:\n%s", strings.Join(last, "\n"))
		}
	}()
	eventually(t, "all spans are in the trace of their program", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		last = nil
		programs := map[string]string{} // by trace
		above := map[string]span{}
		for _, x := range s.spans {
			above[x.SpanID] = x
			if x.Name == "program" {
				programs[x.TraceID] = x.SpanID
			}
		}
		for _, x := range s.spans {
			path := x.Name
			for at := x; at.ParentSpanID != ""; {
				at = above[at.ParentSpanID]
				path = at.Name + " > " + path
			}
			last = append(last, path)
			if programs[x.TraceID] == "" {
				return fmt.Errorf("%q is in a trace of its own", path)
			}
		}
		slices.Sort(last)
		for _, want := range []string{
			"program > call test/slow@0 > attempt test/slow@0 > run test/slow@0 > think",
			"program > call test/slow@0 > wait for slot",
			"program > call test/flaky@0 > attempt test/flaky@0 > run test/flaky@0 > call test/quick@0 > attempt test/quick@0",
			"program > call test/flaky@0 > wait for retry",
		} {
			if !slices.Contains(last, want) {
				return fmt.Errorf("%q is missing", want)
			}
		}
		if len(programs) != 2 {
			return fmt.Errorf("%d programs", len(programs))
		}
		for _, l := range s.lines {
			if l.Body.StringValue == "thinking of one" && programs[l.TraceID] != "" {
				return nil
			}
		}
		return errors.New("the line of a function is not in the trace")
	})
}

func (s *stack) queries(t *testing.T) {
	queries := blocks(s.page, "promql")
	answers := make([][]sample, len(queries))
	eventually(t, "Prometheus has what both programs sent", func() error {
		got, err := s.ask(`sum(max_over_time(mops_calls_total{mops_outcome="hit"}[1d]))`)
		if err == nil && (len(got) != 1 || got[0].Value[1] != "23") { // 10, then 10, two by All and flaky
			err = fmt.Errorf("%v", got)
		}
		return err
	})
	for i, query := range queries {
		eventually(t, "there is an answer to "+query, func() (err error) {
			if answers[i], err = s.ask(query); err == nil && len(answers[i]) == 0 {
				err = errors.New("none")
			}
			return err
		})
		t.Logf("%s%v", query, answers[i])
	}
	if slowest := answers[0][0].Metric["mops_function"]; slowest != "test/slow@0" {
		t.Errorf("what is slow? %s", slowest)
	}
	const again = "test/flaky@0 retry 1"
	if !slices.ContainsFunc(slices.Concat(answers...), func(s sample) bool {
		return fmt.Sprint(s.Metric["mops_function"], " ", s.Metric["mops_recompute_reason"], " ", s.Value[1]) == again
	}) {
		t.Errorf("what is computed again? Not %s", again)
	}
}
