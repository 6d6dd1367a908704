package tooltest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/doctor"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// A user with the permissions that the tool prints, and no others, passes; one
// without is told which are missing, each of them.
func TestDoctor(t *testing.T) {
	r := newRig(t)
	reference := r.image("program")
	out, _ := r.run(1, "doctor", "--k8s", "--image", reference)
	for _, want := range []string{
		"PASS  reach", "You are " + r.user + ".", "FAIL  create jobs", "FAIL  delete jobs", "FAIL  watch pods", "FAIL  get pods/log", "FAIL  list events",
		"mops k8s rbac -n " + r.namespace + " --user " + r.user, "left out: namespace, job, pull",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	r.grant("--user", r.user)
	if out, _ = r.run(0, "doctor", "--k8s"); strings.Contains(out, "FAIL") || !strings.Contains(out, "PASS  job") {
		t.Errorf("with all permissions:\n%s", out)
	}
	out, _ = r.run(1, "doctor", "--k8s", "--image", r.Registry+"/nothing:1")
	if !strings.Contains(out, "FAIL  pull") || !strings.Contains(out, "ImagePull") {
		t.Errorf("an image that is not there:\n%s", out)
	}

	place := r.place()
	part := r.volume("/mnt/place", place)
	out, errs := r.run(0, "doctor", "--k8s", "--json", "--image", reference, "--repository", r.Registry+"/tool", "--insecure", "--file", part, "file:///mnt/place/root")
	var report struct {
		Verdict doctor.Verdict
		doctor.Report
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	found := map[string]doctor.Line{}
	for _, line := range report.Lines {
		found[line.Name] = line
	}
	for _, name := range []string{"reach", "create jobs", "job", "pull", "image", "pod", "pod: reach", "pod: write", "pod: conditions", "pod: OneWinner", "pod: clean"} {
		if found[name].Verdict != doctor.Pass {
			t.Errorf("%s: %+v", name, found[name])
		}
	}
	// A root that the pod cannot use fails there, and says why.
	out, _ = r.run(1, "doctor", "--k8s", "--repository", r.Registry+"/tool", "--insecure", "file:///mnt/nowhere")
	if !strings.Contains(out, "PASS  pod ") || !strings.Contains(out, "FAIL  pod: ") {
		t.Errorf("a root that is not in the pod:\n%s", out)
	}
	r.eventually("nothing is left", func() bool { return len(r.left()) == 0 })
	if left, _ := filepath.Glob(place + "/*/*"); len(left) > 0 {
		t.Errorf("it left behind %q", left)
	}
}

// place is a folder that pods may write to.
func (r *rig) place() string {
	r.Helper()
	place := r.TempDir()
	if err := os.Chmod(place, 0o777); err != nil {
		r.Fatal(err)
	}
	return place
}

// volume is the path of a part of a Job that has a folder in its pod.
func (r *rig) volume(inPod, folder string) string {
	r.Helper()
	path := filepath.Join(r.TempDir(), "volume.yaml")
	text := `
spec:
  template:
    spec:
      containers:
      - name: worker
        volumeMounts: [{name: place, mountPath: ` + inPod + `}]
      volumes: [{name: place, hostPath: {path: ` + folder + `}}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	return path
}

// Where there is no root for a real cluster, the same on one without containers.
func TestOnSimulatedCluster(t *testing.T) {
	r := rigOn(t, cluster.Simulated(t))
	if out, _ := r.run(1, "doctor", "--k8s"); strings.Count(out, "FAIL") != len(kube.Permissions()) {
		t.Errorf("without permissions:\n%s", out)
	}
	r.grant("--user", r.user)
	if out, _ := r.run(0, "doctor", "--k8s"); !strings.Contains(out, " 0 failed") {
		t.Errorf("with all permissions:\n%s", out)
	}
	out, _ := r.run(0, "k8s", "launch", "--detach", "--name", "tool", "image:1")
	if out != r.namespace+"/tool\n" {
		t.Errorf("it printed %q", out)
	}
	r.eventually("it has ended", func() bool {
		out, _ := r.run(0, "k8s", "jobs")
		return strings.Contains(out, "tool  succeeded")
	})
	r.namespace = "absent"
	out, _ = r.run(1, "doctor", "--k8s")
	if !strings.Contains(out, "FAIL  create jobs") {
		t.Errorf("in another namespace:\n%s", out)
	}
}

// Who may make namespaces has it made by the first Job.
func TestNamespaceIsMade(t *testing.T) {
	r := rigOn(t, cluster.Simulated(t))
	before := r.namespace
	absent := before + "-more"
	kubeconfig := r.Kubeconfig // who may do everything
	r.environment = append(r.environment, "KUBECONFIG="+kubeconfig)
	r.namespace = absent
	out, _ := r.run(0, "doctor", "--k8s")
	if !strings.Contains(out, "There is no namespace "+absent+" yet; the first call makes it.") {
		t.Error(out)
	}
	r.run(0, "k8s", "launch", "--detach", "image:1")
	t.Cleanup(func() { r.Client().CoreV1().Namespaces().Delete(context.Background(), absent, metav1.DeleteOptions{}) })
	if out, _ = r.run(0, "doctor", "--k8s"); !strings.Contains(out, "Namespace "+absent+" is there.") {
		t.Error(out)
	}
}
