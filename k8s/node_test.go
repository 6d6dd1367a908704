package k8s

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Who asks for a GPU or for spot nodes gets there; nobody else does.
func TestNodes(t *testing.T) {
	e, c, namespace := simulated(t)
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("100")}
	withGPU := room.DeepCopy()
	withGPU["nvidia.com/gpu"] = resource.MustParse("1")
	for _, node := range []*corev1.Node{
		{
			ObjectMeta: metav1.ObjectMeta{Name: "gpu", Labels: map[string]string{"pool": "a100"}},
			Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "sku", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}}},
			Status:     corev1.NodeStatus{Capacity: withGPU, Allocatable: withGPU},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "spot", Labels: map[string]string{"kubernetes.azure.com/scalesetpriority": "spot"}},
			Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "kubernetes.azure.com/scalesetpriority", Value: "spot", Effect: corev1.TaintEffectNoSchedule}}},
			Status:     corev1.NodeStatus{Capacity: room, Allocatable: room},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "wide", Labels: map[string]string{"pool": "wide"}},
			Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "dedicated", Value: "64cpu", Effect: corev1.TaintEffectNoSchedule}}},
			Status:     corev1.NodeStatus{Capacity: room, Allocatable: room},
		},
	} {
		if err := c.AddNode(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Client().CoreV1().Nodes().Delete(context.Background(), node.Name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	for _, test := range []struct {
		name, want string
		options    []Option
	}{
		{"plain", c.NodeName(), nil},
		{"plain, again", c.NodeName(), nil},
		{"GPU", "gpu", []Option{GPU(1)}},
		{"GPU in one of two pools", "gpu", []Option{GPU(1), NodeIn("pool", "a100", "h100")}},
		{"spot", "spot", []Option{OnlySpot()}},
		{"wide", "wide", []Option{LargeCPU(), NodeSelector("pool", "wide")}},
	} {
		w := start(t, e.With(test.options...), newCall())
		if exit := await(t, w); exit.Err != nil {
			t.Errorf("%s: %v", test.name, exit.Err)
		}
		_, job, _ := splitHandle(w.Handle())
		pods, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: jobNameLabel + "=" + job})
		if err != nil || len(pods.Items) != 1 || pods.Items[0].Spec.NodeName != test.want {
			t.Errorf("%s: %v, it ran on %q, want %q", test.name, err, pods.Items[0].Spec.NodeName, test.want)
		}
	}
}
