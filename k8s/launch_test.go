package k8s

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

func TestProgramIsAsItWasWritten(t *testing.T) {
	p := Program{Name: "tool", Command: []string{"sh", "-c", "echo $(HOME) $$"}, Args: []string{"$(A)"}}
	job, err := p.Job(t.Context(), Image("tool:1"), Namespace("ns"))
	if err != nil {
		t.Fatal(err)
	}
	c := job.Spec.Template.Spec.Containers[0]
	if job.Name != "tool" || c.Command[2] != "echo $$(HOME) $$$$" || c.Args[0] != "$$(A)" || *job.Spec.BackoffLimit != 0 || len(job.Spec.PodFailurePolicy.Rules) != 1 {
		t.Errorf("%+v", job.Spec)
	}
	one, _ := Program{}.Job(t.Context(), Image("example.com/a/tool:1@sha256:0"), Namespace("ns"))
	two, _ := Program{}.Job(t.Context(), Image("example.com/a/tool:1"), Namespace("ns"))
	if !strings.HasPrefix(one.Name, "mops-tool-") || one.Name == two.Name {
		t.Errorf("they are called %s and %s", one.Name, two.Name)
	}
}

// Which image the workers of an orchestrator's pod run: one that is named, else
// the pod's own, else one that is made.
func TestImageOfAnOrchestrator(t *testing.T) {
	made := ImageFrom(func(context.Context) (string, []string, error) { return "made:1", nil, nil })
	for _, test := range []struct {
		own, want string
		options   []Option
	}{
		{"own:1", "own:1", nil}, {"own:1", "own:1", []Option{made}}, {"own:1", "named:1", []Option{Image("named:1")}},
		{"own:1", "named:1", []Option{made, Image("named:1")}}, {"", "made:1", []Option{made}}, {"", "", nil},
	} {
		t.Setenv(kube.ImageVariable, test.own)
		if got, err := New(test.options...).settings.findImage(t.Context()); got.reference != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: %q, %v", test, got.reference, err)
		}
	}
	job, err := Program{Name: "night"}.Job(t.Context(), Image("prog:1"), Namespace("ns"), Orchestrator("mops"))
	if err != nil {
		t.Fatal(err)
	}
	spec := job.Spec.Template.Spec
	own := ""
	for _, v := range spec.Containers[0].Env {
		if v.Name == kube.ImageVariable {
			own = v.Value
		}
	}
	pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: spec}
	if own != "prog:1" || spec.ServiceAccountName != "mops" || !*spec.AutomountServiceAccountToken || *spec.TerminationGracePeriodSeconds != 60 || !kube.UsesMops(pod) || kube.Container(pod) != "worker" {
		t.Errorf("%q %+v", own, spec)
	}
}
