package cluster

import (
	"context"
	_ "embed"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The annotations of pods that say how a simulated one ends: with an exit code
// other than 0, and after a time.Duration.
const (
	AnnotationExitCode = "mops.test/exit-code"
	AnnotationDuration = "mops.test/duration"
)

//go:embed config/kwok.yaml
var kwokConfig string

func (c *Cluster) startSimulated(ctx context.Context) error {
	c.Host = loopback
	c.endpoint = endpoint{api: loopback, bind: loopback, apiPort: c.slot.port(0), etcdPort: c.slot.port(1), peer: c.slot.port(2)}
	// KWOK tells late that nodes live where there are many pods, and they do not die.
	if err := c.startControlPlane(ctx, "--node-monitor-grace-period=1h"); err != nil {
		return err
	}
	if err := c.startKWOK(); err != nil {
		return err
	}
	return c.AddNode(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}})
}

func (c *Cluster) startKWOK() error {
	config, err := c.writeFile("kwok.yaml", kwokConfig)
	if err != nil {
		return err
	}
	// With a lease, which it renews every 10 s, KWOK looks at all pods each time: ten
	// thousand keep it from all else.
	return c.run(kwok, "--kubeconfig="+c.Kubeconfig, "--config="+config, "--manage-all-nodes=true", "--node-lease-duration-seconds=0")
}

// restartKWOK has KWOK, where it runs, look at all pods anew. The end of a pod that
// it was writing when the API server was killed it does not write again
// (https://github.com/kubernetes-sigs/kwok/blob/v0.6.1/pkg/kwok/controllers/utils.go#L145).
func (c *Cluster) restartKWOK(ctx context.Context) error {
	if ran, err := c.kill(ctx, kwok); err != nil || !ran {
		return err
	}
	return c.startKWOK()
}

// AddNode adds a node to a simulated cluster, and returns when it is ready. What it
// does not say of its capacity is plenty. Without labels that say otherwise it is for
// linux/amd64.
func (c *Cluster) AddNode(ctx context.Context, node *corev1.Node) error {
	node = node.DeepCopy()
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1k"),
		corev1.ResourceMemory: resource.MustParse("10Ti"),
		corev1.ResourcePods:   resource.MustParse("100k"),
	}
	for name, quantity := range node.Status.Capacity {
		capacity[name] = quantity
	}
	node.Status.Capacity, node.Status.Allocatable = capacity, capacity
	labels := map[string]string{corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"}
	maps.Copy(labels, node.Labels)
	node.Labels = labels
	if _, err := c.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("add the node %s: %w", node.Name, err)
	}
	return c.waitForNode(ctx, node.Name)
}
