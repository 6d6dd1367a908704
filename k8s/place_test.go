package k8s

import (
	"testing"
	"time"

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
