package k8s

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// A worker is where its newest pod is, and has what its own container may have.
func TestPlaceOf(t *testing.T) {
	if p := placeOf(nil); p != (executor.Place{}) {
		t.Errorf("%+v of no pod", p)
	}
	pod := func(name, node string, age time.Duration, requests corev1.ResourceList) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Now().Add(-age))},
			Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{
				{Name: "sidecar", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("9")}}},
				{Name: kube.ContainerName, Resources: corev1.ResourceRequirements{
					Requests: requests, Limits: corev1.ResourceList{"memory": resource.MustParse("2Gi"), "gpu.intel.com/i915": resource.MustParse("1")},
				}},
			}},
		}
	}
	got := placeOf([]*corev1.Pod{
		pod("new", "node-2", 0, corev1.ResourceList{"cpu": resource.MustParse("1500m"), "memory": resource.MustParse("1Gi"), "nvidia.com/gpu": resource.MustParse("2")}),
		pod("old", "node-1", time.Hour, nil),
	})
	want := executor.Place{
		Host: "new", Node: "node-2", Requests: executor.Resources{CPU: 1.5, Memory: 1 << 30, GPU: 2}, Limits: executor.Resources{Memory: 2 << 30, GPU: 1},
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A pod is on spot capacity if it may go nowhere else, however its Job says so.
func TestPlaceOnSpot(t *testing.T) {
	for name, c := range map[string]struct {
		options []Option
		want    bool
	}{
		"nothing":              {nil, false},
		"only spot":            {[]Option{OnlySpot()}, true},
		"and of one pool":      {[]Option{OnlySpot(), NodeIn("pool", "a100", "h100")}, true},
		"spot, too":            {[]Option{Spot()}, false},
		"selected, Karpenter":  {[]Option{NodeSelector("karpenter.sh/capacity-type", "spot")}, true},
		"selected, Google":     {[]Option{NodeSelector("cloud.google.com/gke-spot", "true")}, true},
		"selected, Amazon":     {[]Option{NodeSelector("eks.amazonaws.com/capacityType", "SPOT")}, true},
		"selected, Azure":      {[]Option{NodeSelector("kubernetes.azure.com/scalesetpriority", "spot"), Spot()}, true},
		"selected, the others": {[]Option{NodeSelector("karpenter.sh/capacity-type", "on-demand")}, false},
		"one of two":           {[]Option{NodeIn("karpenter.sh/capacity-type", "spot", "on-demand")}, false},
		"one of one":           {[]Option{NodeIn("karpenter.sh/capacity-type", "spot")}, true},
		"or elsewhere": {[]Option{OnlySpot(), NodeAffinity(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "pool", Operator: corev1.NodeSelectorOpIn, Values: []string{"a100"}}}})}, false},
		"but not on spot": {[]Option{NodeAffinity(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "karpenter.sh/capacity-type", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"spot"}}}})}, false},
		"by Transform": {[]Option{Transform(func(job *batchv1.Job) error {
			job.Spec.Template.Spec.NodeSelector = map[string]string{"cloud.google.com/gke-spot": "true"}
			return nil
		})}, true},
	} {
		p, err := New(append(c.options, Image("forecast:1.4"), Namespace("weather"))...).plan(t.Context(), call())
		if err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{Spec: p.job.Spec.Template.Spec}
		if placeOf([]*corev1.Pod{pod}).Spot != c.want {
			t.Errorf("%s: want %v", name, c.want)
		}
		if told := environ(pod)["MOPS_K8S_ON_SPOT"]; (told == "true") != c.want {
			t.Errorf("%s: the worker is told %q", name, told)
		}
	}
}

// A worker is told how many GPUs it has: Kubernetes does not do that.
func TestGPUsAreTold(t *testing.T) {
	for want, options := range map[string][]Option{
		"":  nil,
		"2": {GPU(2)},
		"3": {GPUResource("amd.com/gpu", 3)},
		"4": {Transform(func(job *batchv1.Job) error {
			job.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"nvidia.com/mig-1g.5gb": resource.MustParse("4")}
			return nil
		})},
	} {
		for _, inv := range []executor.Invocation{call(), pack()} {
			p, err := New(append(options, Image("forecast:1.4"), Namespace("weather"))...).plan(t.Context(), inv)
			if err != nil {
				t.Fatal(err)
			}
			if got := environ(&corev1.Pod{Spec: p.job.Spec.Template.Spec})["MOPS_K8S_GPU_REQUEST"]; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
}

// environ are the variables that a pod's worker gets with the Job.
func environ(pod *corev1.Pod) map[string]string {
	all := map[string]string{}
	for _, v := range workerOf(&pod.Spec).Env {
		all[v.Name] = v.Value
	}
	return all
}
