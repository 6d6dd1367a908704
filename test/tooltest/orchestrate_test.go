package tooltest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/image"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// The orchestrator pod of an example runs its calls as Jobs, with exactly the
// permissions that mops k8s rbac prints, and finds their results again.
func TestOrchestrateGostats(t *testing.T) {
	r := newRig(t)
	_, errs := r.run(1, "k8s", "orchestrate", "image:1")
	if !strings.Contains(errs, "mops k8s rbac") {
		t.Errorf("without permissions: %s", errs)
	}
	r.grant("--user", r.user)
	r.grant("--service-account", "mops")

	// What is measured comes in the image.
	tree := t.TempDir()
	for i := range 3 {
		path := filepath.Join(tree, fmt.Sprintf("p%d", i), "a.go")
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, fmt.Appendf(nil, "package p%d\n\nfunc F() {}\n", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reference := r.image("gostats", image.Files(tree, "/tree"))

	server := emulator.S3(t)
	root := server.Root(t)
	local := strings.TrimPrefix(server.URL, "http://")
	address := r.Forward(t, local)
	root = strings.Replace(root, url.QueryEscape(server.URL), url.QueryEscape("http://"+address), 1)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "gostats"}, StringData: map[string]string{
		"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "eu-west-1",
	}}
	if _, err := r.Client().CoreV1().Secrets(r.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	args := []string{"k8s", "orchestrate", "--root", root, "--secret", "gostats", "--env", "MOPS_EXECUTOR=k8s", "--env", "MOPS_PROGRESS=plain", reference, "--", "-dir", "/tree"}
	out, errs := r.run(0, args...)
	if !strings.Contains(out, "4 calls: 4 computed") || !strings.Contains(out, "3 packages") {
		t.Errorf("the first time it printed\n%s\n%s", out, errs)
	}
	out, _ = r.run(0, "k8s", "jobs", "--json")
	var jobs []kube.JobStatus
	if err := json.Unmarshal([]byte(out), &jobs); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, job := range jobs {
		if job.State != kube.Succeeded || job.Image != reference {
			t.Errorf("%+v", job)
		}
		if strings.HasPrefix(job.Function, "examples/gostats/") && strings.HasPrefix(job.MemoURI, "s3://") {
			calls++
		}
	}
	if calls != 4 || len(jobs) != 5 {
		t.Errorf("%d Jobs, %d of them of calls", len(jobs), calls)
	}
	if out, errs = r.run(0, args...); !strings.Contains(out, "4 calls: 4 hits") {
		t.Errorf("the second time it printed\n%s\n%s", out, errs)
	}
}

// Ctrl-C stops the orchestrator, which stops its workers first.
func TestCtrlCStopsWorkersOfAnOrchestrator(t *testing.T) {
	r := newRig(t)
	reference := r.image("program")
	r.grant("--user", r.user)
	r.grant("--service-account", "mops")
	place := r.place()
	command := r.tool("k8s", "orchestrate", "-n", r.namespace, "--file", r.volume(place, place), reference, "--", "call", place)
	var errs strings.Builder
	command.Stderr = &errs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	r.eventually("both run", func() bool {
		out, _ := r.run(0, "k8s", "jobs")
		return strings.Contains(out, "2 Jobs: 2 running")
	})
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); command.ProcessState.ExitCode() != 130 {
		t.Errorf("%v, %s", err, errs.String())
	}
	r.eventually("nothing is left", func() bool { return len(r.left()) == 0 })
}
