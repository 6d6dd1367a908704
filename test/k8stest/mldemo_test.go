package k8stest_test

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// The example trains on the cluster, without and with GPUs, in the namespace that
// is the user's by default; run again, it has all results. The GPU is that of the
// example's own tests: a library that runs the kernel on a CPU. The node has it in a
// folder that it mounts into pods, where Google's GPU nodes do, too.
func TestMLDemo(t *testing.T) {
	t.Parallel()
	c := cluster.Real(t)
	program := filepath.Join(t.TempDir(), "mldemo")
	build := exec.Command("go", "build", "-tags=gpu", "-trimpath", "-ldflags=-s -w", "-o", program, "./examples/mldemo")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	driver := t.TempDir()
	compile := exec.Command("gcc", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-DMOST_THREADS=1", "-o", filepath.Join(driver, "libcuda.so.1"),
		"../../examples/mldemo/testdata/driver.c", "-Wl,--no-as-needed", "-l:libm.so.6", "-l:librt.so.1") // as NVIDIA's, it needs more than libc
	if out, err := compile.CombinedOutput(); err != nil {
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
	for gpus, device := range map[string]string{"0": "CPU: no GPU: NVIDIA's driver is not here: there is no libcuda.so.1", "1": "Fake GPU"} {
		t.Run(device[:4], func(t *testing.T) {
			var mounts string
			if gpus == "1" {
				mounts = "/usr/local/nvidia/lib64=" + driver
			}
			root := s3.At(t, address)
			run := func() string {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), longest)
				defer cancel()
				demo := exec.CommandContext(ctx, program, "-on", "k8s", "-image", c.Registry+"/mldemo", "-insecure", "-secret", secret.Name, "-digits", "300", "-gpu", gpus)
				demo.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "MOPS_ROOT="+root, "MOPS_CACHE="+t.TempDir(), "MOPS_K8S_HOST_PATHS="+mounts)
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
			if got := devices(t, root); len(got) != 1 || got[device] != 9 {
				t.Errorf("it was trained on %v", got)
			}
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

// devices are those that results in a root name, with the number of these.
func devices(t *testing.T, root string) map[string]int {
	t.Helper()
	store, err := blob.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	found := map[string]int{}
	for blob, err := range store.List(t.Context(), "mops1/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if path.Base(blob.Key) != "result" {
			continue
		}
		data, _, err := store.ReadAll(t.Context(), blob.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if device := regexp.MustCompile(`"device":"([^"]*)"`).FindSubmatch(data); device != nil {
			found[string(device[1])]++
		}
	}
	return found
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
