package kube

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/TrilliantHealth/mops-go/internal/cluster/archive"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// inPod runs commands on this machine in place of a container.
func inPod(t *testing.T, hasTar, hasMops bool) *podShell {
	t.Setenv("MOPS_K8S_POD", "pod")
	return &podShell{pod: "pod", mops: hasMops, run: func(ctx context.Context, command []string, in io.Reader, out, errs io.Writer) error {
		switch {
		case command[0] == archive.Program && hasMops:
			if in == nil {
				in = strings.NewReader("")
			}
			if code, asked := archive.Serve(command, in, out, errs); !asked || code != 0 {
				return utilexec.CodeExitError{Err: errors.New("command terminated with exit code 1"), Code: code}
			}
			return nil
		case command[0] == "tar" && hasTar:
			run := exec.CommandContext(ctx, command[0], command[1:]...)
			run.Stdin, run.Stdout, run.Stderr = in, out, errs
			return run.Run()
		}
		return errors.New(`OCI runtime exec failed: unable to start container process: exec: "` + command[0] + `": executable file not found in $PATH: unknown`)
	}}
}

func TestCopy(t *testing.T) {
	for name, pod := range map[string][2]bool{"tar": {true, false}, "tar of a worker": {true, true}, "no tar": {false, true}} {
		t.Run(name, func(t *testing.T) {
			p := inPod(t, pod[0], pod[1])
			there, here := t.TempDir(), t.TempDir()
			content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
			for _, file := range []string{"a", "sub/b"} {
				path := filepath.Join(there, "data", file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o640)); err != nil {
					t.Fatal(err)
				}
			}
			var count moved
			c, err := p.get(t.Context(), filepath.Join(there, "data"), filepath.Join(here, "copy"), &count)
			if err != nil || c.Files != 2 || c.Bytes != 2<<20 || count.bytes.Load() <= c.Bytes {
				t.Fatalf("%+v, %v", c, err)
			}
			c, err = p.put(t.Context(), filepath.Join(here, "copy"), filepath.Join(there, "back"), &count)
			if err != nil || c.Files != 2 {
				t.Fatalf("%+v, %v", c, err)
			}
			got, err := os.ReadFile(filepath.Join(there, "back", "sub", "b"))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
			if _, err := p.get(t.Context(), filepath.Join(there, "nothing"), filepath.Join(here, "x"), &count); err == nil || !strings.Contains(strings.ToLower(err.Error()), "no such file") {
				t.Errorf("what is not there: %v", err)
			}
			if _, err := p.put(t.Context(), filepath.Join(here, "nothing"), filepath.Join(there, "x"), &count); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("what is not here: %v", err)
			}
			if _, err := p.put(t.Context(), filepath.Join(here, "copy"), filepath.Join(there, "no", "folder"), &count); err == nil {
				t.Error("a copy into a folder that is not there is no error")
			}
		})
	}
	p := inPod(t, false, false)
	if _, err := p.get(t.Context(), "/data/x", filepath.Join(t.TempDir(), "x"), new(moved)); err == nil || !strings.Contains(err.Error(), "has no tar") || !strings.Contains(err.Error(), "kubectl debug") {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	job, err := k8s.Program{Name: "mops-train-1"}.Job(t.Context(), k8s.Image("prog:1"), k8s.Namespace("weather"), k8s.Annotation("mops.trilliant.health/memo-uri", "s3://b/mops1/x"))
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "weather", Name: "mops-train-1-abcde", Labels: map[string]string{
			"app.kubernetes.io/managed-by": "mops", "job-name": "mops-train-1",
		}, Annotations: job.Annotations},
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "worker"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	ended := pod.DeepCopy()
	ended.Name, ended.Status.Phase, ended.Labels = "ended", corev1.PodSucceeded, nil
	c := &Cluster{kube.Connection{Namespace: "weather"}, fake.NewClientset(job, pod, ended)}
	for _, name := range []string{"mops-train-1", "mops-train-1-abcde"} {
		if p, err := c.find(t.Context(), name, ""); err != nil || p.pod != "mops-train-1-abcde" || !p.mops {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestTarget(t *testing.T) {
	for to, want := range map[string]string{".": "n", "..": "../n", "/tmp/": "/tmp/n", "x": "x", "/": "/n", "a/..": "n"} {
		if got := target(to, "n"); got != want {
			t.Errorf("to %q it is %q, want %q", to, got, want)
		}
	}
}
