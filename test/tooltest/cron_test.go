package tooltest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// What a user pastes from the page: a program that a CronJob starts, that is killed
// while its calls run, and that goes on. The next run has hits.
func TestCronJob(t *testing.T) {
	r := newRig(t)
	r.grant("--user", r.user)
	r.grant("--service-account", "mops")
	server, place := emulator.S3(t), r.place()
	here := server.Root(t)
	inPods := strings.Replace(here, url.QueryEscape(server.URL), url.QueryEscape("http://"+r.Forward(t, strings.TrimPrefix(server.URL, "http://"))), 1)
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "eu-west-1"}
	for name, value := range keys {
		r.environment = append(r.environment, name+"="+value)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "store"}, StringData: keys}
	if _, err := r.Client().CoreV1().Secrets(r.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	nightly := fromPage(t, strings.NewReplacer(
		"namespace: weather", "namespace: "+r.namespace, "registry.example.com/forecast:1.4", r.image("program"),
		"s3://bucket/mops", inPods, "args: [nightly]", fmt.Sprintf("args: [nightly, %q]", place), `"15 2 * * *"`, `"* * * * *"`))
	cron, jobs, pods := r.Client().BatchV1().CronJobs(r.namespace), r.Client().BatchV1().Jobs(r.namespace), r.Client().CoreV1().Pods(r.namespace)
	nightly, err := cron.Create(t.Context(), nightly, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatal(err)
	}

	// The cluster starts it, within the minute, and it is killed while its calls run.
	r.eventually("its calls run", func() bool {
		out, _ := r.run(0, "k8s", "jobs")
		return strings.Contains(out, "3 running")
	})
	suspended := []byte(`{"spec":{"suspend":true}}`)
	if nightly, err = cron.Patch(t.Context(), nightly.Name, types.MergePatchType, suspended, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	first := r.podsOf(nightly.Name)
	if len(first) != 1 {
		t.Fatalf("it has %d pods", len(first))
	}
	if err := pods.Delete(t.Context(), first[0].Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
		t.Fatal(err)
	}
	r.eventually("it is started again", func() bool {
		now := r.podsOf(nightly.Name)
		return len(now) == 1 && now[0].Name != first[0].Name && now[0].Status.Phase == corev1.PodRunning
	})
	if err := os.WriteFile(filepath.Join(place, "open"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	r.eventually("it ends", func() bool { return r.succeeded(nightly, 1) })

	// By hand, as kubectl create job --from=cronjob/nightly does.
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: "try", Annotations: map[string]string{"cronjob.kubernetes.io/instantiate": "manual"},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(nightly, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
	}, Spec: nightly.Spec.JobTemplate.Spec}
	if _, err := jobs.Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.eventually("the second run ends", func() bool { return r.succeeded(nightly, 2) })
	log, err := pods.GetLogs(r.podsOf("try")[0].Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil || !strings.Contains(string(log), "[1 4 9]") {
		t.Errorf("the second run printed %s, %v", log, err)
	}
	// One that ends with an error of its own is not started again.
	failing := job.DeepCopy()
	failing.Name, failing.OwnerReferences = "fails", nil
	failing.Spec.Template.Spec.Containers[0].Args = []string{"exit", "1"}
	if _, err := jobs.Create(t.Context(), failing, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.eventually("it has failed", func() bool {
		job, err := jobs.Get(t.Context(), failing.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobFailed && c.Reason == batchv1.JobReasonPodFailurePolicy && c.Status == corev1.ConditionTrue
		})
	})
	if n := len(r.podsOf(failing.Name)); n != 1 {
		t.Errorf("it had %d pods", n)
	}
	out, _ := r.run(0, "k8s", "jobs", "--json")
	var calls []kube.JobStatus
	if err := json.Unmarshal([]byte(out), &calls); err != nil {
		t.Fatal(err)
	}
	if len(calls) != 3 {
		t.Errorf("%d Jobs of calls, not 3: %s", len(calls), out)
	}
	for _, call := range calls {
		if call.Function != "program/measure@0" && call.Function != "program/measure" || call.State != kube.Succeeded {
			t.Errorf("%+v", call)
		}
	}
	runs, err := r.tool("runs", here).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, runs)
	}
	// Of the calls of the killed one, some may have been cancelled: a kubelet sends SIGTERM first, whatever grace is given.
	// The next awaits what goes on, computes what was cancelled, and has hits where it comes late.
	for _, row := range []string{`exit 0 +3 +3 +nonroot@try-`, `exit 0 +3( +[123]){1,3} +nonroot@nightly-`, `(live|broken off|exit 143, cancelled) +3( +[123]){1,2} +nonroot@nightly-`} {
		if !regexp.MustCompile(row).Match(runs) {
			t.Errorf("there is no run %s", row)
		}
	}
	t.Logf("the runs are\n%s", runs)
}

// fromPage is the CronJob of the page with other names in it.
func fromPage(t *testing.T, names *strings.Replacer) *batchv1.CronJob {
	t.Helper()
	page, err := os.ReadFile("../../docs/kubernetes-cron.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	var job batchv1.CronJob
	if err := yaml.UnmarshalStrict([]byte(names.Replace(text)), &job); err != nil {
		t.Fatal(err)
	}
	return &job
}

// podsOf are the pods that a program runs in whose Job has a name that begins so.
func (r *rig) podsOf(job string) (found []corev1.Pod) {
	r.Helper()
	all, err := r.Client().CoreV1().Pods(r.namespace).List(r.Context(), metav1.ListOptions{})
	if err != nil {
		r.Fatal(err)
	}
	for _, pod := range all.Items {
		if strings.HasPrefix(pod.Labels[batchv1.JobNameLabel], job) {
			found = append(found, pod)
		}
	}
	return found
}

// succeeded says that as many Jobs of a CronJob have succeeded. One that failed ends
// the test.
func (r *rig) succeeded(cron *batchv1.CronJob, want int) bool {
	r.Helper()
	jobs, err := r.Client().BatchV1().Jobs(r.namespace).List(r.Context(), metav1.ListOptions{})
	if err != nil {
		r.Fatal(err)
	}
	n := 0
	for _, job := range jobs.Items {
		if !metav1.IsControlledBy(&job, cron) {
			continue
		}
		for _, c := range job.Status.Conditions {
			switch {
			case c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue:
				r.Fatalf("the Job %s failed: %s", job.Name, c.Message)
			case c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue:
				n++
			}
		}
	}
	return n >= want
}
