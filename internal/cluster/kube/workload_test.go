package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/TrilliantHealth/mops-go/executor"
)

// The conditions are those that Kueue v0.17.0 made.
func TestTurn(t *testing.T) {
	waits := func(reason, message string) metav1.Condition {
		return metav1.Condition{Type: "QuotaReserved", Status: metav1.ConditionFalse, Reason: reason, Message: message}
	}
	const lacks = "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default, 1 more needed"
	const never = "couldn't assign flavors to pod set main: insufficient quota for cpu in flavor small, previously considered podsets requests (0) + current podset request (9) > maximum capacity (1)"
	const preempted = "Preempted to accommodate a workload (UID: 1, JobUID: 2) due to prioritization in the ClusterQueue"
	for _, test := range []struct {
		name       string
		conditions []metav1.Condition
		says       string
		never      bool
	}{
		{"nothing yet", nil, "", false},
		{"no room", []metav1.Condition{waits("Pending", lacks)}, lacks, false},
		{"too much", []metav1.Condition{waits("Pending", never)}, never, true},
		{"too much for one flavor", []metav1.Condition{waits("Pending", never+", "+lacks)}, never + ", " + lacks, false},
		{"no such resource", []metav1.Condition{waits("Pending", "couldn't assign flavors to pod set main: resource nvidia.com/gpu unavailable in ClusterQueue")}, "nvidia.com/gpu", true},
		{"no such queue", []metav1.Condition{waits("Inadmissible", "LocalQueue night doesn't exist")}, "LocalQueue night doesn't exist", true},
		{"preempted", []metav1.Condition{{Type: "Evicted", Status: metav1.ConditionTrue, Reason: "Preempted", Message: preempted}, waits("Pending", preempted)}, preempted, false},
		{"preempted, and no room", []metav1.Condition{{Type: "Evicted", Status: metav1.ConditionTrue, Reason: "Preempted", Message: preempted}, waits("Pending", lacks)}, preempted + "; " + lacks, false},
		{"preempted before", []metav1.Condition{{Type: "Evicted", Status: metav1.ConditionFalse, Message: preempted}, waits("Pending", lacks)}, lacks, false},
		{"let go", []metav1.Condition{{Type: "QuotaReserved", Status: metav1.ConditionTrue, Message: "Quota reserved in ClusterQueue"}}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var w workload
			w.Status.Conditions = test.conditions
			turn := w.turn()
			if !strings.Contains(turn.Message, test.says) || test.says == "" && turn.Message != "" || strings.Count(turn.Message, preempted) > 1 || (turn.Advice != "") != test.never {
				t.Errorf("%+v", turn)
			}
		})
	}
}

// An admission check holds back what has its quota; a Workload may be switched off.
func TestTurnOfOthers(t *testing.T) {
	for text, says := range map[string]string{
		`{"status":{"conditions":[{"type":"QuotaReserved","status":"True"}],"admissionChecks":[{"name":"a","state":"Ready"},{"name":"nodes","state":"Pending","message":"two nodes come"}]}}`: "the admission check nodes is Pending: two nodes come",
		`{"metadata":{"name":"job-x"},"spec":{"active":false}}`: "its Workload job-x is not active",
	} {
		var w workload
		if err := json.Unmarshal([]byte(text), &w); err != nil {
			t.Fatal(err)
		}
		if turn := w.turn(); turn.Message != says {
			t.Errorf("%+v", turn)
		}
	}
}

// kueueAt is what asks a server that answers so.
func kueueAt(t *testing.T, answer http.HandlerFunc) *Kueue {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return &Kueue{Client: client.Discovery().RESTClient()}
}

const aKueue = `{"kind":"APIGroup","preferredVersion":{"groupVersion":"kueue.x-k8s.io/v9","version":"v9"}}`

// The version of the API is asked for once, the Workloads of a few Jobs are one
// request, and those of many come in pages.
func TestTurns(t *testing.T) {
	var asked []string
	k := kueueAt(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.URL.Query().Get("labelSelector"))
		uid, next := "u1", ""
		switch {
		case r.URL.Path == "/apis/kueue.x-k8s.io":
			fmt.Fprint(w, aKueue)
			return
		case r.URL.Path != "/apis/kueue.x-k8s.io/v9/workloads": // of a namespace
		case r.URL.Query().Get("continue") == "":
			next = "more"
		default:
			uid = "u2"
		}
		fmt.Fprintf(w, `{"metadata":{"continue":%q},"items":[{"metadata":{"labels":{"kueue.x-k8s.io/job-uid":%q}},
			"status":{"conditions":[{"type":"QuotaReserved","status":"False","message":"none for %[2]s"}]}}]}`, next, uid)
	})
	few, err := k.Turns(t.Context(), "ns", "u1", "u3")
	if err != nil || len(few) != 1 || few["u1"].Message != "none for u1" {
		t.Errorf("%v, %v", few, err)
	}
	all, err := k.Turns(t.Context(), metav1.NamespaceAll)
	if err != nil || len(all) != 2 || all["u2"].Message != "none for u2" {
		t.Errorf("%v, %v", all, err)
	}
	want := []string{
		"/apis/kueue.x-k8s.io ", "/apis/kueue.x-k8s.io/v9/namespaces/ns/workloads kueue.x-k8s.io/job-uid in (u1,u3)",
		"/apis/kueue.x-k8s.io/v9/workloads kueue.x-k8s.io/job-uid", "/apis/kueue.x-k8s.io/v9/workloads kueue.x-k8s.io/job-uid",
	}
	if strings.Join(asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s", strings.Join(asked, "\n"))
	}
}

// Where there is no Kueue, that is why a Job waits; what may not be seen is not
// guessed.
func TestNoTurns(t *testing.T) {
	refuse := func(code int) error {
		k := kueueAt(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", code) })
		_, err := k.Turns(t.Context(), "ns", types.UID("u"))
		return err
	}
	if err := refuse(http.StatusNotFound); !apierrors.IsNotFound(err) || !strings.Contains(NoTurnOf(err).Message, "has no Kueue") {
		t.Errorf("%v", err)
	}
	if err := refuse(http.StatusForbidden); !apierrors.IsForbidden(err) || NoTurnOf(err) != (Turn{}) {
		t.Errorf("%v", err)
	}
	if turn := NoTurnOf(nil); turn.Advice == "" {
		t.Errorf("%+v", turn)
	}
	if turns, err := (&Kueue{}).Turns(t.Context(), "ns"); turns != nil || err != nil {
		t.Errorf("%v, %v", turns, err)
	}
}

// A queue that takes a turn back costs no retry and no disruption, however often; and
// a worker that had just ended well is done, though its Job waits again.
func TestTurnTakenBack(t *testing.T) {
	job := aRetryingJob(1)
	stopped := podsOf(exited(143, "Error"), exited(143, "Error"), exited(executor.ExitLost, "Error"), exited(3, "Error"))
	took := map[string]bool{"job-a": true, "job-b": true, "job-c": true}
	v := Decide(View{Job: job, Former: stopped[:3], Pods: stopped[3:], Suspended: took, Protocol: true})
	if v.Ended || len(v.Setbacks) != 1 || v.Setbacks[0].Pod != "job-d" || v.Setbacks[0].Nth != 1 {
		t.Errorf("%+v", v)
	}
	job.Spec.Suspend = new(true)
	done := podsOf(exited(0, "Completed", func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Unix(1, 0)) }))
	v = Decide(View{Job: job, Pods: done, Suspended: map[string]bool{"job-a": true}, Protocol: true})
	if !v.Ended || v.Exit.Code != executor.ExitOK || !v.Leftover {
		t.Errorf("%+v", v)
	}
}

func TestStatusInAQueue(t *testing.T) {
	job := aJob()
	job.Spec.Suspend = new(true)
	job.Labels = map[string]string{QueueLabel: "night"}
	if !WaitsInQueue(job) || WaitsInQueue(&batchv1.Job{Spec: job.Spec}) {
		t.Error("a Job waits in a queue if it is suspended and names one")
	}
	if s := StatusOf(job, nil, "", Turn{Message: "1 more needed"}); s.State != Queued || s.Message != "1 more needed" {
		t.Errorf("%+v", s)
	}
}
