package tooltest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/doctor"
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

	place := t.TempDir()
	if err := os.Chmod(place, 0o777); err != nil {
		t.Fatal(err)
	}
	part := r.file("volume.yaml", `
spec:
  template:
    spec:
      containers:
      - name: worker
        volumeMounts: [{name: place, mountPath: /mnt/place}]
      volumes: [{name: place, hostPath: {path: `+place+`}}]
`)
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

// file is a file with a text.
func (r *rig) file(name, text string) string {
	r.Helper()
	path := filepath.Join(r.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	return path
}
