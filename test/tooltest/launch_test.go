package tooltest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

func TestLaunch(t *testing.T) {
	r := newRig(t)
	reference := r.image("program")

	// Without permissions it says which one is missing, and how it is granted.
	_, errs := r.run(1, "k8s", "launch", reference, "--", "exit", "0")
	for _, want := range []string{"no permission to watch jobs", "mops k8s rbac"} {
		if !strings.Contains(errs, want) {
			t.Errorf("it does not say %q: %s", want, errs)
		}
	}
	r.grant("--user", r.user)

	out, errs := r.run(0, "k8s", "launch", reference, "--env", "A=1", "--", "say", "a b", "$(A)", "$$")
	if out != `["a b" "$(A)" "$$"]`+"\n" || !strings.Contains(errs, "Job "+r.namespace+"/mops-program-") {
		t.Errorf("it printed %q, %q", out, errs)
	}
	out, errs = r.run(7, "k8s", "launch", reference, "--cpu", "10m", "--memory", "32Mi", "--name", "seven", "--", "exit", "7")
	if out != "exits with 7\n" || !strings.Contains(errs, "ended with exit code 7") {
		t.Errorf("it printed %q, %q", out, errs)
	}
	if _, errs = r.run(1, "k8s", "launch", reference, "--name", "seven", "--", "exit", "0"); !strings.Contains(errs, "another Job has the name") {
		t.Error(errs)
	}
	out, _ = r.run(46, "k8s", "launch", "--json", reference, "--", "exit", "46") // is nothing special here
	var v struct{ Job string }
	if err := json.Unmarshal([]byte(out), &v); err != nil || !strings.HasPrefix(v.Job, r.namespace+"/mops-program-") {
		t.Errorf("%s: %v", out, err)
	}

	out, _ = r.run(0, "k8s", "jobs", "--json")
	var jobs []kube.JobStatus
	if err := json.Unmarshal([]byte(out), &jobs); err != nil || len(jobs) != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	for i, state := range []kube.State{kube.Succeeded, kube.Failed, kube.Failed} {
		if jobs[i].State != state || jobs[i].Ended.IsZero() || jobs[i].Image != reference {
			t.Errorf("%+v", jobs[i])
		}
	}

	// What --dry-run prints, the API server takes.
	out, _ = r.run(0, "k8s", "launch", reference, "--gpu", "1", "--spot", "--dry-run", "--", "exit", "0")
	var job batchv1.Job
	if err := yaml.UnmarshalStrict([]byte(out), &job); err != nil {
		t.Fatal(err)
	}
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	if _, err := r.Client().BatchV1().Jobs(r.namespace).Create(t.Context(), &job, options); err != nil {
		t.Error(err)
	}
}

func TestCtrlCDeletesTheJob(t *testing.T) {
	r := newRig(t)
	reference := r.image("program")
	r.grant("--user", r.user)
	command := r.tool("k8s", "launch", "-n", r.namespace, reference, "--", "wait")
	var errs strings.Builder
	command.Stderr = &errs
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "waits\n" {
		t.Errorf("%q, %v", line, err)
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = command.Wait()
	if command.ProcessState.ExitCode() != 130 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("%v, %s", err, errs.String())
	}
	r.eventually("nothing is left", func() bool { return len(r.left()) == 0 })
}

func TestWatchOfJobs(t *testing.T) {
	r := newRig(t)
	reference := r.image("program")
	r.grant("--user", r.user)
	watch := r.tool("k8s", "jobs", "--watch", "-n", r.namespace)
	stdout, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer watch.Process.Kill()
	place := r.place()
	r.run(0, "k8s", "launch", reference, "--detach", "--name", "three", "--file", r.volume(place, place), "--", "exit", "3", place)
	seen, lines := "", bufio.NewScanner(stdout)
	until := func(what string) {
		t.Helper()
		for is := regexp.MustCompile(what); lines.Scan(); {
			if seen += lines.Text() + "\n"; is.MatchString(lines.Text()) {
				return
			}
		}
		t.Fatalf("it did not print %q, but\n%s", what, seen)
	}
	until("running +three")
	if err := os.WriteFile(filepath.Join(place, "open"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	until("failed +three")
	until("exit code 3")
	if err := watch.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	watch.Wait()
}
