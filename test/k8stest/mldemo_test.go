package k8stest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// The example trains on the cluster, without and with GPUs, in the namespace that
// is the user's by default; run again, it has all results.
func TestMLDemo(t *testing.T) {
	c := cluster.Real(t)
	program := filepath.Join(t.TempDir(), "mldemo")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./examples/mldemo")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := c.AdvertiseGPU(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	s3 := emulator.S3(t)
	address := c.Forward(t, s3.Address())
	namespace := usersNamespace(t, c)
	secret := &corev1.Secret{ObjectMeta: v1.ObjectMeta{Name: "store"}, StringData: map[string]string{
		"AWS_ACCESS_KEY_ID": os.Getenv("AWS_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY": os.Getenv("AWS_SECRET_ACCESS_KEY"),
	}}
	if _, err := c.Client().CoreV1().Secrets(namespace).Create(t.Context(), secret, v1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, gpus := range map[string]string{"CPU": "0", "GPU": "1"} {
		t.Run(name, func(t *testing.T) {
			root := s3.At(t, address)
			run := func() string {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				demo := exec.CommandContext(ctx, program, "-on", "k8s", "-image", c.Registry+"/mldemo", "-insecure", "-secret", secret.Name, "-digits", "300", "-gpu", gpus)
				demo.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "MOPS_ROOT="+root, "MOPS_CACHE="+t.TempDir())
				var printed, told strings.Builder
				demo.Stdout, demo.Stderr = &printed, &told
				if err := demo.Run(); err != nil {
					t.Fatalf("%v\n%s%s", err, &printed, &told)
				}
				return printed.String()
			}
			first := run()
			verdict, calls, _ := strings.Cut(first, "22 calls: ")
			if !strings.HasPrefix(calls, "0 hits, 22 computed") {
				t.Errorf("the first run printed\n%s", first)
			}
			again, calls, _ := strings.Cut(run(), "22 calls: ")
			if again != verdict || !strings.HasPrefix(calls, "22 hits, 0 computed") {
				t.Errorf("the first run printed\n%s, the second\n%s%s", first, again, calls)
			}
			t.Log("first:", strings.TrimSpace(first[len(verdict):]), "- second:", strings.TrimSpace(calls))
			client := c.Client().BatchV1().Jobs(namespace)
			jobs, err := client.List(t.Context(), v1.ListOptions{})
			if err != nil || len(jobs.Items) != 9 {
				t.Fatalf("%d Jobs, %v", len(jobs.Items), err)
			}
			for _, job := range jobs.Items {
				if got := job.Spec.Template.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"]; got.String() != gpus {
					t.Errorf("%s has %s GPUs", job.Name, got.String())
				}
			}
			background := v1.DeletePropagationBackground
			if err := client.DeleteCollection(t.Context(), v1.DeleteOptions{PropagationPolicy: &background}, v1.ListOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// usersNamespace creates the namespace that calls have by default, as the user would
// who puts a Secret there before the first one.
func usersNamespace(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	name, _, _ := strings.Cut(k8s.New(k8s.Kubeconfig(c.Kubeconfig)).HandleOf(executor.Invocation{}), "/")
	namespaces := c.Client().CoreV1().Namespaces()
	_, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: v1.ObjectMeta{Name: name}}, v1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := namespaces.Delete(context.Background(), name, v1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return name
}
