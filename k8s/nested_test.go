package k8s

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
)

// A worker is told its image and its function, and a Job that a pod makes names the
// Job of that.
func TestNestedJobs(t *testing.T) {
	for _, name := range []string{kube.JobVariable, kube.NamespaceVariable, kube.FunctionVariable, kube.ImageVariable, kube.ClusterVariable, "KUBECONFIG"} {
		t.Setenv(name, "")
	}
	inv := executor.Invocation{Function: "f@1", MemoURI: "s3://b/mops1/f@1/x"}
	e := New(Image("prog:1"), Namespace("ns"), Context("prod"))
	outer, err := e.plan(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	if caller := outer.job.Annotations[kube.CallerAnnotation]; caller != "" {
		t.Errorf("a program in no pod made it, and its caller is %s", caller)
	}
	var environ []string
	for _, v := range outer.job.Spec.Template.Spec.Containers[0].Env {
		environ = append(environ, v.Name+"="+v.Value)
		if v.ValueFrom == nil {
			t.Setenv(v.Name, v.Value)
		}
	}
	if warnings := config.Unknown(environ); len(warnings) > 0 {
		t.Errorf("each worker would be warned: %q", warnings)
	}
	if here := kube.Here(); here.Handle() != "ns/"+outer.job.Name || here.Function != "f@1" {
		t.Errorf("%+v", here)
	}
	inner, err := New(Namespace("ns"), Context("prod")).plan(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	if pod := inner.job.Spec.Template; pod.Spec.Containers[0].Image != "prog:1" || pod.Annotations[kube.CallerAnnotation] != "ns/"+outer.job.Name {
		t.Errorf("%+v", pod)
	}
	// Neither the kubeconfig with that context nor a token is here.
	t.Setenv("HOME", t.TempDir())
	_, _, err = kube.Target{Context: "prod"}.RESTConfig(e.settings.log())
	if err == nil || !strings.Contains(err.Error(), "Job ns/"+outer.job.Name+", has no token") || !strings.Contains(err.Error(), "mops k8s rbac -n ns") {
		t.Error(err)
	}
	// The context of another cluster stays that.
	if _, _, err = (kube.Target{Context: "other"}).RESTConfig(e.settings.log()); err == nil || !strings.Contains(err.Error(), `context "other" does not exist`) {
		t.Error(err)
	}
	quota := &kube.Obstacle{Reason: executor.LaunchRejected, Kind: kube.NoRoom, Advice: "ask for less"}
	if by := crowded(quota, "other"); by.Advice != "ask for less" {
		t.Errorf("%+v", by)
	}
	if by := crowded(quota, "ns"); !strings.HasPrefix(by.Advice, "this worker of f@1 (Job ns/"+outer.job.Name+") holds room itself") || !strings.HasSuffix(by.Advice, "; or ask for less") || quota.Advice != "ask for less" {
		t.Errorf("%+v", by)
	}
	t.Setenv(kube.FunctionVariable, "") // an orchestrator is one pod, and no crowd
	if by := crowded(quota, "ns"); by.Advice != "ask for less" {
		t.Errorf("%+v", by)
	}
}
