package k8s_test

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// pool adds a node that has its own name as the label pool, and maybe more labels,
// a taint and a GPU.
func pool(t *testing.T, c *testcluster.Cluster, name, taint string, gpus string, labels ...string) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pool": name}}}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		node.Labels[key] = value
	}
	if taint != "" {
		key, value, _ := strings.Cut(taint, "=")
		node.Spec.Taints = []corev1.Taint{{Key: key, Value: value, Effect: corev1.TaintEffectNoSchedule}}
	}
	if gpus != "" {
		node.Status.Capacity = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse(gpus)}
	}
	if err := c.AddNode(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Client().CoreV1().Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// The scheduler puts pods where their options let them, and nowhere else.
func TestPlacement(t *testing.T) {
	e, c, namespace := simulated(t)
	pool(t, c, "gpu-nvidia", "nvidia.com/gpu=present", "1")
	pool(t, c, "gpu-azure", "sku=gpu", "1")
	pool(t, c, "gpu-dedicated", "dedicated=gpu", "1")
	spot := []string{"spot-azure", "spot-google", "spot-eks", "spot-karpenter"}
	for i, label := range []string{
		"kubernetes.azure.com/scalesetpriority=spot", "cloud.google.com/gke-spot=true",
		"eks.amazonaws.com/capacityType=SPOT", "karpenter.sh/capacity-type=spot",
	} {
		pool(t, c, spot[i], label, "", label)
	}
	pool(t, c, "large", "dedicated=64cpu", "")
	pool(t, c, "small", "", "")
	gpu := []string{"gpu-nvidia", "gpu-azure", "gpu-dedicated"}
	untainted := []string{c.NodeName(), "small"}
	in := func(pools ...string) Option { return NodeIn("pool", pools...) }
	nowhere := []string{}

	type test struct {
		name    string
		options Option
		nodes   []string // one of which it runs on
	}
	tests := []test{
		{"nothing said", nil, untainted},
		{"GPU", GPU(1), gpu},
		{"two GPUs, which no node has", GPU(2), nowhere},
		{"a GPU of another kind", GPUResource("amd.com/gpu", 1), nowhere},
		{"no GPU, in a pool of GPUs", in(gpu...), nowhere},
		{"GPU, in a pool without", Options(GPU(1), in("small")), nowhere},
		{"any of two pools", in("gpu-azure", "small"), []string{"small"}},
		{"only spot", OnlySpot(), spot},
		{"only spot, in a pool that is none", Options(OnlySpot(), in("small")), nowhere},
		{"spot, in a pool that is none", Options(Spot(), in("small")), []string{"small"}},
		{"large", Options(LargeCPU(), NodeSelector("pool", "large")), []string{"large"}},
		{"not large", NodeSelector("pool", "large"), nowhere},
		{"one of two terms", NodeAffinity(
			corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "pool", Operator: corev1.NodeSelectorOpIn, Values: []string{"none"}}}},
			corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "pool", Operator: corev1.NodeSelectorOpIn, Values: []string{"small"}}}},
		), []string{"small"}},
	}
	for _, node := range gpu {
		tests = append(tests, test{"GPU in " + node, Options(GPU(1), in(node)), []string{node}})
	}
	for _, node := range spot {
		tests = append(tests,
			test{"spot in " + node, Options(Spot(), in(node)), []string{node}},
			test{"only spot in " + node, Options(OnlySpot(), in(node, "small")), []string{node}},
			test{"not spot, in " + node, in(node), nowhere})
	}
	for _, test := range tests {
		grace := longest // the scheduler hears late of nodes, and of pods that have ended
		if len(test.nodes) == 0 {
			grace = 0
		}
		w := start(t, e.With(test.options, RoomGrace(grace)), newCall())
		exit := await(t, w)
		if len(test.nodes) == 0 {
			failsWith(t, exit.Err, executor.Unschedulable, "k8s.NodeIn")
			continue
		}
		if exit.Err != nil {
			t.Errorf("%s: %v", test.name, exit.Err)
			continue
		}
		_, job, _ := strings.Cut(w.Handle(), "/")
		pods, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "job-name=" + job})
		if err != nil || len(pods.Items) != 1 {
			t.Fatalf("%s: %d pods, %v", test.name, len(pods.Items), err)
		}
		if node := pods.Items[0].Spec.NodeName; !strings.Contains(" "+strings.Join(test.nodes, " ")+" ", " "+node+" ") {
			t.Errorf("%s: it ran on %s, not on any of %v", test.name, node, test.nodes)
		}
	}
}

// Pods run on nodes that can run their image: not on those of another architecture,
// nor on Windows.
func TestPlacementByPlatform(t *testing.T) {
	e, c, namespace := simulated(t, ends(0, 0))
	pool(t, c, "arm", "", "", corev1.LabelArchStable+"=arm64")
	pool(t, c, "windows", "", "", corev1.LabelOSStable+"=windows")
	in := func(pools ...string) Option { return NodeIn("pool", pools...) }
	for _, test := range []struct {
		name    string
		options Option
		node    string // "": none
	}{
		{"nothing known, on Windows", in("windows"), ""},
		{"nothing known, on any with Linux", in("windows", "arm"), "arm"},
		{"amd64, on arm64", Options(Platforms("linux/amd64"), in("windows", "arm")), ""},
		{"arm64", Platforms("linux/arm64"), "arm"},
		{"both", Options(Platforms("linux/amd64", "linux/arm64"), in("windows", "arm")), "arm"},
		{"neither", Platforms("linux/s390x", "linux/riscv64"), ""},
		{"the user says where", Options(Platforms("linux/amd64"), NodeSelector(corev1.LabelArchStable, "arm64")), "arm"},
	} {
		grace := longest
		if test.node == "" {
			grace = 0
		}
		w := start(t, e.With(test.options, RoomGrace(grace)), newCall())
		exit := await(t, w)
		if test.node == "" {
			failsWith(t, exit.Err, executor.Unschedulable, "node affinity/selector")
			if says := strings.Contains(exit.Err.Error(), "image.Platforms"); says == strings.HasPrefix(test.name, "nothing known") {
				t.Errorf("%s: %v", test.name, exit.Err)
			}
			continue
		}
		if exit.Err != nil {
			t.Errorf("%s: %v", test.name, exit.Err)
			continue
		}
		_, job, _ := strings.Cut(w.Handle(), "/")
		pods, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "job-name=" + job})
		if err != nil || len(pods.Items) != 1 || pods.Items[0].Spec.NodeName != test.node {
			t.Errorf("%s: %v, %+v", test.name, err, pods.Items)
		}
	}
}

// Calls that wait for a GPU get it one after the other, and are not given up, though the
// first has it for longer than they may wait. The scheduler takes seconds to give a GPU
// that is free to the next.
func TestGPUsAreShared(t *testing.T) {
	t.Parallel()
	const n, grace = 3, 20 * time.Second
	e, c, namespace := simulated(t, ends(0, time.Hour), GPU(1), NodeIn("pool", "gpu-scarce"), RoomGrace(grace))
	pool(t, c, "gpu-scarce", "nvidia.com/gpu=present", "1")
	running := make(chan int, n)
	var workers []executor.Worker
	for i := range n {
		inv := newCall()
		inv.Tell = func(stage executor.Stage) {
			if stage == executor.Running {
				running <- i
			}
		}
		workers = append(workers, start(t, e, inv))
	}
	for nth := range n {
		select {
		case i := <-running:
			if nth == 0 {
				time.Sleep(grace + 5*time.Second) // it is the passing of time that is wanted
			}
			exits(t, c, namespace, isRunningSoon(t, c, workers[i], ""), 0)
		case <-time.After(longest):
			t.Fatalf("%d of %d got the GPU", nth, n)
		}
	}
	for _, w := range workers {
		if exit := await(t, w); exit.Err != nil {
			t.Error(exit.Err)
		}
	}
}
