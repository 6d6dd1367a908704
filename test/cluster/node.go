package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// nodeName is the name of the node that every cluster has.
const nodeName = "node1"

// NodeName is the name of the node that every cluster has.
func (c *Cluster) NodeName() string { return nodeName }

// AdvertiseGPU makes the node offer GPUs, which are not there: the scheduler counts
// them, and containers do not get to see any
// (https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/).
func (c *Cluster) AdvertiseGPU(ctx context.Context, n int) error {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"capacity":    map[string]string{"nvidia.com/gpu": fmt.Sprint(n)},
		"allocatable": map[string]string{"nvidia.com/gpu": fmt.Sprint(n)},
	}})
	if err != nil {
		return err
	}
	_, err = c.client.CoreV1().Nodes().Patch(ctx, nodeName, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// waitForNode returns when the scheduler may give pods to the node.
func (c *Cluster) waitForNode(ctx context.Context, name string) error {
	return c.until(ctx, "the node "+name, func(ctx context.Context) error {
		node, err := c.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, taint := range node.Spec.Taints {
			if strings.HasPrefix(taint.Key, "node.kubernetes.io/") { // not ready, say
				return fmt.Errorf("it has the taint %s", taint.ToString())
			}
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type != corev1.NodeReady {
				continue
			}
			if condition.Status == corev1.ConditionTrue {
				return nil
			}
			return errors.New(condition.Message)
		}
		return errors.New("it does not say that it is ready")
	})
}
