package k8s

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

var update = flag.Bool("update", false, "write golden files")

func call() executor.Invocation {
	return executor.Invocation{
		Function: "weather/Forecast@3",
		MemoURI:  "s3://results/mops1/nightly/weather/Forecast@3/CatDogSun.abc",
		ID:       executor.ID{LeaseID: "lease-1", RunID: "2611231412-SkirtBus", Attempt: 1},
		Env:      []string{"MOPS_WORKER={$(HOME)}"},
	}
}

// pack is a list of calls for three workers.
func pack() executor.Invocation {
	inv := call()
	inv.MemoURI, inv.Workers = "s3://results/mops1-scratch/packs/abc", 3
	return inv
}

func TestJobs(t *testing.T) {
	t.Setenv(kube.UserVariable, "ada@example.com")
	const digest = "registry.example.com/forecast@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	ranOut := call()
	ranOut.Attempt, ranOut.Failed = 3, []executor.Reason{executor.OOMKilled, executor.Evicted}
	for _, test := range []struct {
		name    string
		inv     executor.Invocation
		options []Option
		file    []string
	}{
		{"plain", call(), []Option{Image("forecast:1.4")}, nil},
		{"full", ranOut, []Option{
			Image("forecast:1.4"), Registry("registry.example.com/"), PullSecret("registry"), NamePrefix("Night Shift"),
			CPU("2"), CPULimit("4"), Memory("4Gi"), MemoryRequest("2Gi"), Resource("ephemeral-storage", "10Gi"),
			Env("LEVEL", "debug"), Env("GOMEMLIMIT", "1GiB"), SecretEnv("TOKEN", "tokens", "api"), ConfigMapEnv("REGION", "places", "region"),
			EnvFromSecret("more"), EnvFromConfigMap("much-more"),
			Claim("/data", "shared"), HostPath("/scratch", "/mnt/ssd"), RunAs(1000, 1000), FSGroup(2000),
			Label("team", "weather"), Annotation("example.com/cost-centre", "42"),
			TTL(10 * time.Minute), Retries(1), Deadline(time.Hour), StopGrace(1500 * time.Millisecond),
			PriorityClass("low"), Queue("batch"),
		}, nil},
		{"pack", pack(), []Option{Image("forecast:1.4"), Retries(2), Pack(time.Minute), Queue("batch")}, nil},
		{"gpu", call(), []Option{Image(digest), GPU(1), OnlySpot(), NodeIn("pool", "a100", "h100"), NodeSelector("zone", "a"), LargeCPU()}, nil},
		{"workload-identity", call(), []Option{Image(digest), WorkloadIdentity("reader", "data", "weather"), PodIdentity("old-reader")}, nil},
		{"pod-identity", call(), []Option{Image(digest), WorkloadIdentity("reader", "data"), PodIdentity("old-reader")}, nil},
		{"workload-identity", call(), []Option{Image(digest)}, []string{`workload_identity_account = "reader"`, `workload_identity_namespaces = ["data", "weather"]`}},
		{"workload-identity", call(), []Option{Image(digest), WorkloadIdentity("reader", "weather")}, []string{`workload_identity_account = "other"`, `workload_identity_namespaces = ["data"]`}},
		{"pod-identity", call(), []Option{Image(digest), WorkloadIdentity("reader")}, []string{`workload_identity_namespaces = ["data"]`, `aad_pod_identity = "old-reader"`}},
		{"pod-identity", call(), []Option{Image(digest), PodIdentity("old-reader")}, []string{`aad_pod_identity = "other"`}},
		{"service-account", call(), []Option{Image(digest), ServiceAccount("reader"), Transform(func(job *batchv1.Job) error {
			job.Spec.Template.Spec.Containers[0].Env = nil
			job.Labels = nil
			return nil
		})}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := configured(t, says(t, test.file...), nil, append(test.options, Namespace("weather"))...).plan(t.Context(), test.inv)
			if err != nil {
				t.Fatal(err)
			}
			got, err := yaml.Marshal(p.job)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", test.name+".yaml"), string(got))
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it differs from %s; see `git diff` after go test -update:\n%s", path, got)
	}
}

// An account that the program names keeps its token of the cluster's API, and gets
// that of the cloud.
func TestAccountWithWorkloadIdentity(t *testing.T) {
	e := configured(t, says(t, `workload_identity_namespaces = ["weather"]`, `workload_identity_account = "other"`), nil,
		Image("forecast:1.4"), Namespace("weather"), ServiceAccount("reader"))
	p, err := e.plan(t.Context(), call())
	if err != nil {
		t.Fatal(err)
	}
	pod := p.job.Spec.Template
	if pod.Spec.ServiceAccountName != "reader" || !*pod.Spec.AutomountServiceAccountToken || pod.Labels["azure.workload.identity/use"] != "true" {
		t.Errorf("%v, %+v", pod.Labels, pod.Spec)
	}
}

func TestNoJob(t *testing.T) {
	boom := errors.New("boom")
	for _, test := range []struct {
		name, want string
		options    []Option
	}{
		{"no image", "no image was given", nil},
		{"quantity", `k8s.CPU("lots") is no quantity`, []Option{Image("a"), CPU("lots")}},
		{"zero", `k8s.MemoryMax("0")`, []Option{Image("a"), MemoryMax("0")}},
		{"a pack of no time", `k8s.Pack(10ms): `, []Option{Image("a"), Pack(10 * time.Millisecond)}},
		{"a pack of less than no time", `k8s.Pack(-1s): `, []Option{Image("a"), Pack(-time.Second)}},
		{"too many side by side", `k8s.SideBySide(1001): `, []Option{Image("a"), SideBySide(1001)}},
		{"less than none side by side", `k8s.SideBySide(-1): `, []Option{Image("a"), SideBySide(-1)}},
		{"negative TTL", "k8s.TTL(-1h0m0s)", []Option{Image("a"), TTL(-time.Hour)}},
		{"negative deadline", "k8s.Deadline(-1ns)", []Option{Image("a"), Deadline(-1)}},
		{"negative grace", "k8s.StopGrace(-1s)", []Option{Image("a"), StopGrace(-time.Second)}},
		{"namespace", `"A B" is no namespace`, []Option{Image("a"), Namespace("A B")}},
		{"platform", `"windows/amd64" is no platform of workers`, []Option{Image("a"), Platforms("linux/amd64", "windows/amd64")}},
		{"platform of a made image", `"amd64" is no platform of workers`, []Option{madeFor("amd64")}},
		{"share", "k8s.Logs(2)", []Option{Image("a"), Logs(2)}},
		{"transform", "k8s.Transform failed: boom", []Option{Image("a"), Transform(func(*batchv1.Job) error { return boom })}},
		{"transform that panics", "k8s.Transform panicked: boom", []Option{Image("a"), Transform(func(*batchv1.Job) error { panic(boom) })}},
		{"transform that forgets the Job", "k8s.Transform panicked", []Option{Image("a"), Transform(func(job *batchv1.Job) error { *job = *noJob(); return nil })}},
		{"renamed", "see k8s.NamePrefix", []Option{Image("a"), Transform(func(job *batchv1.Job) error { job.Name = "x"; return nil })}},
		{"no worker", "removed the container", []Option{Image("a"), Transform(func(job *batchv1.Job) error {
			job.Spec.Template.Spec.Containers = []corev1.Container{{Name: "other"}}
			return nil
		})}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(append([]Option{Namespace("weather")}, test.options...)...).plan(t.Context(), call())
			failure, ok := errors.AsType[*executor.Error](err)
			if !ok || failure.Reason != executor.LaunchFailed || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want LaunchFailed and %q", err, test.want)
			}
		})
	}
}

// Of an executor and what With makes of it, neither changes the other.
func TestDedicatedNodes(t *testing.T) {
	p, err := New(Image("a:1"), Namespace("ns"), Dedicated("batch"), Tolerate("zone", "", corev1.TaintEffectNoExecute)).plan(t.Context(), call())
	if err != nil {
		t.Fatal(err)
	}
	want := []corev1.Toleration{
		{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "batch", Effect: corev1.TaintEffectNoSchedule},
		{Key: "zone", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	}
	if got := p.job.Spec.Template.Spec.Tolerations; !slices.Equal(got, want) {
		t.Errorf("it tolerates %+v, want %+v", got, want)
	}
}

// Copies share the limit, but for those that set another.
func TestCopiesShareTheLimit(t *testing.T) {
	one := New(Limit(3))
	copies := one.With(CPU("1")).With(Memory("1Gi"), Limit(3))
	if one.CopyOf() != nil || copies.CopyOf() != executor.Executor(one) || one.With(Limit(4)).CopyOf() != nil || copies.With(Limit(4)).CopyOf() != nil {
		t.Errorf("%v, %v, %v", one.CopyOf(), copies.CopyOf(), one.With(Limit(4)).CopyOf())
	}
	if own := one.With(Limit(4)); own.With(CPU("1")).CopyOf() != executor.Executor(own) {
		t.Error("the copy of a copy with another limit does not share that")
	}
}

func TestLimit(t *testing.T) {
	for n, want := range map[int]int{-1: 0, 0: 0, 3: 3} {
		if got := New(Limit(n)).Limit(); got != want {
			t.Errorf("Limit(%d) is %d", n, got)
		}
	}
}

func TestWithChangesNothing(t *testing.T) {
	base := New(Image("a"), Namespace("weather"), Env("A", "1"), Label("a", "1"), CPU("1"))
	before, err := base.plan(t.Context(), call())
	if err != nil {
		t.Fatal(err)
	}
	one := base.With(Env("B", "one"), Label("b", "one"), CPU("2"), GPU(1))
	two := base.With(Env("C", "two"), Label("a", "two"))
	for name, e := range map[string]*Executor{"with one": one, "with two": two} {
		if _, err := e.plan(t.Context(), call()); err != nil {
			t.Fatal(name, err)
		}
	}
	after, err := base.plan(t.Context(), call())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := yaml.Marshal(before.job)
	b, _ := yaml.Marshal(after.job)
	if string(a) != string(b) {
		t.Errorf("With changed the executor:\n%s\n%s", a, b)
	}
	if limits := two.settings.limits; len(limits) > 0 {
		t.Errorf("two executors share their limits: %v", limits)
	}
}

func noJob() *batchv1.Job { return nil }
