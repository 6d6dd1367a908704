package k8s

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

func TestJobNames(t *testing.T) {
	s := New().settings
	seen := map[string]string{}
	for _, function := range []string{"f@1", "weather/Forecast@3", strings.Repeat("very/long.", 20) + "Name@12", "Größe@1", "", "---", "日本@2"} {
		for attempt := range 3 {
			inv := executor.Invocation{Function: function, MemoURI: "mem://" + function, ID: executor.ID{LeaseID: "l", Attempt: attempt}}
			name := s.jobName(inv)
			if why := validation.IsDNS1123Label(name); len(why) > 0 || !strings.HasPrefix(name, "mops-") {
				t.Errorf("%q: %v", name, why)
			}
			if other, ok := seen[name]; ok {
				t.Errorf("%q and %q have the name %q", function, other, name)
			}
			seen[name] = function
			if again := s.jobName(inv); again != name {
				t.Errorf("%q, then %q", name, again)
			}
		}
	}
	long := s.jobName(executor.Invocation{Function: strings.Repeat("a", 100) + ".Last@7"})
	if len(long) != kube.MostName || !strings.Contains(long, "-last-7-") {
		t.Errorf("%q has %d characters", long, len(long))
	}
	packed := s.jobName(executor.Invocation{Function: strings.Repeat("a", 100) + ".Last@7", Workers: 20_000}) + "-19999"
	if why := validation.IsDNS1123Label(packed); len(why) > 0 || !strings.Contains(packed, "-last-7-") {
		t.Errorf("a pod of a pack cannot have the host name %q: %v", packed, why)
	}
}

func TestHandles(t *testing.T) {
	if got := New(Namespace("given")).HandleOf(call()); !strings.HasPrefix(got, "given/mops-") {
		t.Errorf("the handle is %q", got)
	}
	if got := New(Namespace("no/namespace")).HandleOf(call()); got != "" {
		t.Errorf("the handle is %q, where there can be none", got)
	}
}

func TestRegistryIsPutInFrontOnce(t *testing.T) {
	for name, want := range map[string]string{
		"a": "r.io/a", "team/a:1": "r.io/team/a:1", "r.io/a": "r.io/a", "other.io/a": "other.io/a", "localhost/a": "localhost/a", "host:5000/a@sha256:0": "host:5000/a@sha256:0",
	} {
		once := withRegistry("r.io", name)
		if twice := withRegistry("r.io", once); once != want || twice != once {
			t.Errorf("%q became %q, then %q; want %q", name, once, twice, want)
		}
	}
	if got := withRegistry("", "a"); got != "a" {
		t.Errorf("without a registry it became %q", got)
	}
}

func TestMemoryGrows(t *testing.T) {
	oom, other := executor.OOMKilled, executor.Signalled
	for _, test := range []struct {
		options []Option
		failed  []executor.Reason
		want    string
		retry   bool
	}{
		{nil, nil, "", false},
		{nil, []executor.Reason{oom}, "", false},
		{[]Option{Memory("1Gi")}, nil, "1Gi", false},
		{[]Option{Memory("1Gi")}, []executor.Reason{oom}, "2Gi", true},
		{[]Option{Memory("1Gi")}, []executor.Reason{oom, other}, "2Gi", true},
		{[]Option{Memory("1Gi")}, []executor.Reason{oom, oom}, "4Gi", true},
		{[]Option{Memory("1Gi")}, []executor.Reason{oom, oom, oom}, "4Gi", false},
		{[]Option{Memory("1Gi"), MemoryMax("3Gi")}, []executor.Reason{oom, oom}, "3Gi", true},
		{[]Option{Memory("1Gi"), MemoryMax("1Gi")}, []executor.Reason{oom}, "1Gi", false},
		{[]Option{Memory("2Gi"), MemoryMax("1Gi")}, []executor.Reason{oom}, "2Gi", false},
		{[]Option{Retries(1)}, []executor.Reason{other}, "", true},
		{[]Option{Retries(1)}, []executor.Reason{other, other}, "", false},
		{nil, []executor.Reason{executor.ImagePull}, "", false},
		{nil, []executor.Reason{executor.Evicted}, "", false}, // as often as k8s.Disruptions allows
	} {
		e := New(test.options...)
		got := ""
		if q := e.settings.memoryAfter(test.failed); q != nil {
			got = q.String()
		}
		if retry := e.MayRetry(test.failed); got != test.want || retry != test.retry {
			t.Errorf("after %v: %q, %v; want %q, %v", test.failed, got, retry, test.want, test.retry)
		}
	}
	s := New(Memory("4Gi"), MemoryRequest("1Gi")).settings
	requests, _ := s.resources(s.memoryAfter([]executor.Reason{oom}))
	if q := requests[corev1.ResourceMemory]; q.String() != "2Gi" {
		t.Errorf("the request grew to %s, want 2Gi", q.String())
	}
}

func TestRoots(t *testing.T) {
	e := New(Root("file:///data/b/c", "file:///mnt/c"), Root("file:///data/", "file:///mnt/data"), Root("file:///a", "file:///one"), Root("file:///a", "file:///two"))
	for root, want := range map[string]string{
		"file:///data/b/c/d": "file:///mnt/c/d", "file:///a": "file:///two",
		"file:///data": "file:///mnt/data", "file:///data/a/b": "file:///mnt/data/a/b", "file:///database": "file:///database", "s3://b": "s3://b",
	} {
		if got := e.RootFor(root); got != want {
			t.Errorf("%s is at %s, want %s", root, got, want)
		}
	}
}

func TestVolumeInPlaceOfAnother(t *testing.T) {
	base := New(Claim("/data", "team"), Claim("/more", "more"))
	s := base.With(Claim("/data", "own")).settings
	if len(s.mounts) != 2 || s.volumes[0].PersistentVolumeClaim.ClaimName != "own" || base.settings.volumes[0].PersistentVolumeClaim.ClaimName != "team" {
		t.Errorf("%+v", s.volumes)
	}
}

func TestExcerpt(t *testing.T) {
	lines := strings.Repeat("\tstack\n", 100)
	for _, test := range []struct{ name, text, want string }{
		{"short", "a\nb\n", "a\nb"},
		{"long", strings.Repeat("x\n", 100), strings.TrimSuffix(strings.Repeat("x\n", tailLines), "\n")},
		{"crash", "before\npanic: boom\n" + lines, "panic: boom\n" + strings.Repeat("\tstack\n", crashLines-1) + "…\n" + strings.TrimSuffix(strings.Repeat("\tstack\n", crashLines), "\n")},
	} {
		if got := excerpt(test.text); got != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}
