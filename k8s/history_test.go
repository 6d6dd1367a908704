package k8s

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// past are runs of a function with these peaks, on Kubernetes.
func past(peaks ...int64) (all []executor.Past) {
	for _, peak := range peaks {
		all = append(all, executor.Past{Executor: "k8s", Platform: "linux/amd64", PeakMemory: peak})
	}
	return all
}

// times is a run n times.
func times(n int, runs []executor.Past) []executor.Past { return slices.Repeat(runs, n) }

func but(runs []executor.Past, change func(*executor.Past)) []executor.Past {
	runs = slices.Clone(runs)
	for i := range runs {
		change(&runs[i])
	}
	return runs
}

func outOf(memory int64) []executor.Past {
	return but(past(memory), func(p *executor.Past) { p.Reason = executor.OOMKilled })
}

func mustParse(t *testing.T, text string) int64 {
	t.Helper()
	q, err := resource.ParseQuantity(text)
	if err != nil {
		t.Fatal(err)
	}
	return q.Value()
}

func TestMemoryFromHistory(t *testing.T) {
	for name, c := range map[string]struct {
		options []Option
		past    []executor.Past
		err     error
		want    string
		says    []string
	}{
		"no runs":         {nil, nil, nil, "4Gi", []string{"k8s.Memory", "only 0", "20"}},
		"too few":         {nil, times(19, past(gib)), nil, "4Gi", []string{"k8s.Memory", "only 19"}},
		"all alike":       {nil, times(20, past(gib)), nil, "1280Mi", []string{"95% of 20 earlier runs", "at most 1Gi", "a quarter more"}},
		"rounded":         {nil, times(20, past(1000*mib)), nil, "1280Mi", []string{"1000Mi"}},
		"a few large":     {nil, append(times(95, past(gib)), times(5, past(3*gib))...), nil, "1280Mi", nil},
		"one more":        {nil, append(times(94, past(gib)), times(6, past(3*gib))...), nil, "3840Mi", nil},
		"the largest":     {[]Option{MemoryFromHistory(100)}, append(times(199, past(gib)), past(3*gib)...), nil, "3840Mi", []string{"100% of 200"}},
		"half of them":    {[]Option{MemoryFromHistory(50)}, append(times(100, past(gib)), times(100, past(3*gib))...), nil, "1280Mi", nil},
		"a fraction":      {[]Option{MemoryFromHistory(99.5)}, append(times(199, past(gib)), past(3*gib)...), nil, "1280Mi", []string{"99.5% of 200"}},
		"tiny":            {nil, times(20, past(1)), nil, "128Mi", []string{"no less than k8s.MemoryMin"}},
		"least":           {[]Option{MemoryMin("512Mi")}, times(20, past(mib)), nil, "512Mi", []string{"no less than k8s.MemoryMin"}},
		"less than usual": {[]Option{Memory("64Mi")}, times(20, past(mib)), nil, "128Mi", nil},
		"far less":        {[]Option{Memory("16Mi")}, times(20, past(mib)), nil, "64Mi", nil}, // the most that it may have
		"most":            {[]Option{MemoryMax("6Gi")}, times(20, past(10*gib)), nil, "6Gi", []string{"no more than k8s.MemoryMax"}},
		"usual most":      {nil, times(20, past(100*gib)), nil, "16Gi", []string{"no more than k8s.MemoryMax"}},
		"absurd":          {nil, times(20, past(math.MaxInt64)), nil, "16Gi", nil},
		"negative":        {nil, times(20, past(-gib)), nil, "4Gi", []string{"only 0"}},
		"unknown peaks":   {nil, times(100, past(0)), nil, "4Gi", []string{"only 0"}},
		"in process":      {nil, but(times(100, past(gib)), func(p *executor.Past) { p.Executor = "inproc" }), nil, "4Gi", []string{"only 0"}},
		"another platform": {[]Option{Platforms("linux/amd64")}, append(but(times(100, past(8*gib)), func(p *executor.Past) { p.Platform = "linux/arm64" }), times(20, past(gib))...),
			nil, "1280Mi", []string{"of 20"}},
		"no platform is known":              {nil, but(times(20, past(gib)), func(p *executor.Past) { p.Platform = "" }), nil, "1280Mi", nil},
		"out of memory":                     {nil, append(times(90, past(gib)), times(10, outOf(2*gib))...), nil, "5Gi", []string{"at most 4Gi"}},
		"out of memory, who knows how much": {nil, append(times(90, past(gib)), times(10, outOf(0))...), nil, "10Gi", []string{"at most 8Gi"}},
		"out of memory, seldom":             {nil, append(times(99, past(gib)), outOf(2*gib)...), nil, "1280Mi", nil},
		"out of an absurd memory":           {nil, times(20, outOf(math.MaxInt64)), nil, "16Gi", nil},
		"it cannot be read":                 {nil, nil, errors.New("you may not list"), "4Gi", []string{"k8s.Memory", "could not be read"}},
		"off":                               {[]Option{MemoryFromHistory(0)}, times(100, past(gib)), nil, "4Gi", []string{"k8s.Memory"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(append([]Option{Image("a"), Namespace("ns"), Memory("4Gi"), MemoryFromHistory(95)}, c.options...)...)
			inv := call()
			inv.History = func(context.Context) ([]executor.Past, error) { return c.past, c.err }
			p, err := e.plan(t.Context(), inv)
			if err != nil {
				t.Fatal(err)
			}
			worker := p.job.Spec.Template.Spec.Containers[0]
			limit, request := worker.Resources.Limits[corev1.ResourceMemory], worker.Resources.Requests[corev1.ResourceMemory]
			if want := mustParse(t, c.want); limit.Value() != want || request.Value() != want || p.job.Annotations[kube.MemoryAnnotation] != limit.String() {
				t.Errorf("limit %v, request %v, annotation %s; want %s", &limit, &request, p.job.Annotations[kube.MemoryAnnotation], c.want)
			}
			from := p.job.Annotations[kube.MemoryFromAnnotation]
			for _, text := range c.says {
				if !strings.Contains(from, text) {
					t.Errorf("%q does not say %q", from, text)
				}
			}
			if !slices.ContainsFunc(worker.Env, func(v corev1.EnvVar) bool { return v.Name == "MOPS_K8S_MEMORY_FROM" && v.Value == from }) {
				t.Errorf("the worker does not know that its memory is that of %q", from)
			}
		})
	}
}

// Calls of a pack share a pod, and executors that learn differently share no pack.
func TestMemoryFromHistoryOfPacks(t *testing.T) {
	e := New(Image("a"), Namespace("ns"), Memory("4Gi"), MemoryFromHistory(95), Pack(time.Minute), SideBySide(3))
	inv := call()
	inv.Workers = 2
	inv.History = func(context.Context) ([]executor.Past, error) { return times(20, past(gib)), nil }
	p, err := e.plan(t.Context(), inv)
	if err != nil || p.task.memory.limit.Value() != 3840*mib || !strings.Contains(p.task.memory.from, "each of 3 calls") {
		t.Errorf("%+v, %v", p.task.memory, err)
	}
	kinds := map[string]bool{}
	for _, other := range []*Executor{e, e.With(MemoryFromHistory(99)), e.With(MemoryFromHistory(0)), e.With(MemoryMin("1Gi")), e.With(MemoryMax("8Gi"))} {
		kinds[other.Packing().Kind] = true
	}
	if len(kinds) != 5 || e.Packing().Kind != e.With(MemoryFromHistory(95)).Packing().Kind {
		t.Errorf("%v", kinds)
	}
}

// An executor without an engine, and a lower request.
func TestMemoryFromNoHistory(t *testing.T) {
	e := New(Image("a"), Namespace("ns"), Memory("4Gi"), MemoryRequest("1Gi"), MemoryFromHistory(95))
	p, err := e.plan(t.Context(), call())
	if err != nil || p.task.memory.limit.String() != "4Gi" {
		t.Fatalf("%+v, %v", p, err)
	}
	inv := call()
	inv.History = func(context.Context) ([]executor.Past, error) { return times(20, past(1600*mib)), nil }
	if p, err = e.plan(t.Context(), inv); err != nil {
		t.Fatal(err)
	}
	if q := p.job.Spec.Template.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory]; q.String() != "512Mi" {
		t.Errorf("with a limit of %v the request is %v", p.task.memory.limit, &q)
	}
	if job, err := (Program{Name: "tool"}).Job(t.Context(), Image("a"), Namespace("ns"), MemoryFromHistory(95), Memory("1Gi")); err != nil || job.Annotations[kube.MemoryFromAnnotation] != "" {
		t.Errorf("a program that is launched has no history: %+v, %v", job, err)
	}
}

func TestMemoryFromHistoryThatMakesNoSense(t *testing.T) {
	for _, c := range []struct {
		says    string
		options []Option
	}{
		{"from 50 to 100", []Option{MemoryFromHistory(49)}}, {"from 50 to 100", []Option{MemoryFromHistory(100.5)}},
		{"from 50 to 100", []Option{MemoryFromHistory(-1)}}, {"from 50 to 100", []Option{MemoryFromHistory(math.NaN())}}, {"from 50 to 100", []Option{MemoryFromHistory(0.95)}},
		{"needs k8s.Memory", []Option{MemoryFromHistory(95), Memory("0")}},
		{"k8s.MemoryMin (8Gi) is more than k8s.MemoryMax (2Gi)", []Option{MemoryFromHistory(95), Memory("1Gi"), MemoryMin("8Gi"), MemoryMax("2Gi")}},
		{"k8s.MemoryMin (8Gi) is more than k8s.MemoryMax (4Gi)", []Option{MemoryFromHistory(95), Memory("1Gi"), MemoryMin("8Gi")}},
		{"no quantity", []Option{MemoryMin("lots")}}, {"no quantity", []Option{MemoryMin("-1Gi")}},
	} {
		_, err := New(append([]Option{Image("a"), Namespace("ns")}, c.options...)...).plan(t.Context(), call())
		if e, ok := errors.AsType[*executor.Error](err); !ok || e.Reason != executor.LaunchFailed || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v; want %q", err, c.says)
		}
	}
	if _, err := New(Image("a"), Namespace("ns"), MemoryFromHistory(95)).plan(t.Context(), call()); err == nil || !strings.Contains(err.Error(), "needs k8s.Memory") {
		t.Error(err)
	}
}

// A call that runs out of memory gets more each time, and at least Memory, until it
// has the most; then it fails soon.
func TestMemoryAfterRunningOut(t *testing.T) {
	for _, c := range []struct {
		learned, usual, most int64 // MiB
		knows                bool  // how much an attempt had
		want                 []int64
	}{
		{1000, 4096, 16384, true, []int64{1280, 4096, 8192, 16384}},
		{1000, 4096, 16384, false, []int64{1280, 4096, 8192, 16384}},
		{3000, 4096, 16384, true, []int64{3840, 7680, 15360, 16384}},
		{8000, 4096, 16384, true, []int64{10240, 16384}},
		{100000, 4096, 16384, true, []int64{16384}},
		{1000, 4096, 4096, true, []int64{1280, 4096}},
		{1, 100, 400, true, []int64{128, 256, 400}},
	} {
		e := New(Image("a"), Namespace("ns"), Memory(fmt.Sprintf("%dMi", c.usual)), MemoryMax(fmt.Sprintf("%dMi", c.most)), MemoryFromHistory(95))
		inv := call()
		inv.History = func(context.Context) ([]executor.Past, error) { return times(20, past(c.learned*mib)), nil }
		var got []int64
		for refused := 0; ; {
			p, err := e.plan(t.Context(), inv)
			if f, ok := errors.AsType[*executor.Error](err); ok {
				if f.Reason != executor.OOMKilled || !strings.Contains(f.Message, "k8s.MemoryMax") {
					t.Error(err)
				}
				refused++
			} else {
				got = append(got, p.task.memory.limit.Value()/mib)
				if c.knows {
					inv.ExhaustedMemory = max(inv.ExhaustedMemory, p.task.memory.limit.Value())
				}
			}
			inv.Failed = append(inv.Failed, executor.OOMKilled)
			inv.Attempt++
			if !e.MayRetry(inv.Failed) {
				break
			}
			if refused > 2 {
				t.Fatalf("it goes on to try, in vain: %v", inv.Failed)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: attempts had %v", c, got)
		}
	}
}
