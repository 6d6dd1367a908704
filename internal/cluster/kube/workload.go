package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Kueue suspends a Job until it is the Job's turn, and keeps what it thinks of it in a
// Workload, whose conditions say why the turn has not come
// (https://kueue.sigs.k8s.io/docs/concepts/workload).

// QueueLabel names the LocalQueue that a Job waits in
// (https://kueue.sigs.k8s.io/docs/tasks/run/jobs).
const QueueLabel = "kueue.x-k8s.io/queue-name"

// MinParallelismAnnotation lets a Job begin with fewer pods than it has, as many as
// its queue has room for now or ever
// (https://kueue.sigs.k8s.io/docs/tasks/run/jobs/#partial-admission).
const MinParallelismAnnotation = "kueue.x-k8s.io/job-min-parallelism"

// What Workloads are, and the label with the UID of the Job that one is for.
const (
	kueueGroup  = "kueue.x-k8s.io"
	jobUIDLabel = "kueue.x-k8s.io/job-uid"
)

// WaitsInQueue reports whether a Job waits for its turn in a queue of Kueue's.
func WaitsInQueue(job *batchv1.Job) bool {
	return IsSuspended(job) && job.Labels[QueueLabel] != "" && job.DeletionTimestamp == nil
}

// Turn is why it is not a Job's turn. The zero value is that nobody knows.
type Turn struct {
	Message string // Kueue's own
	Advice  string // what to do, where the turn does not come by itself
}

// obstacle is the turn as what keeps a worker from starting; nil where nobody knows.
func (t Turn) obstacle() *Obstacle {
	switch {
	case t.Message == "":
		return nil
	case t.Advice == "":
		return &Obstacle{Message: t.Message, Kind: NoTurn}
	}
	return &Obstacle{Message: t.Message, Advice: t.Advice, Kind: NeverATurn}
}

// workload is what is read of a Workload; it is the same in all versions of the API.
type workload struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Active *bool `json:"active"`
	} `json:"spec"`
	Status struct {
		Conditions []metav1.Condition `json:"conditions"`
		Checks     []struct {
			Name    string `json:"name"`
			State   string `json:"state"`
			Message string `json:"message"`
		} `json:"admissionChecks"`
	} `json:"status"`
}

func (w *workload) condition(kind string, status metav1.ConditionStatus) metav1.Condition {
	for _, c := range w.Status.Conditions {
		if c.Type == kind && c.Status == status {
			return c
		}
	}
	return metav1.Condition{}
}

// turn is what the conditions say.
func (w *workload) turn() (t Turn) {
	waits, evicted := w.condition("QuotaReserved", metav1.ConditionFalse), w.condition("Evicted", metav1.ConditionTrue)
	var said []string
	for _, c := range []metav1.Condition{evicted, waits} {
		if c.Message != "" && !slices.Contains(said, c.Message) {
			said = append(said, c.Message)
		}
	}
	if waits.Type == "" {
		for _, check := range w.Status.Checks {
			if check.State != "Ready" {
				said = append(said, strings.TrimSuffix(fmt.Sprintf("the admission check %s is %s: %s", check.Name, check.State, check.Message), ": "))
			}
		}
	}
	t.Message = strings.Join(said, "; ")
	switch {
	case w.Spec.Active != nil && !*w.Spec.Active:
		t.Message = strings.TrimSuffix("its Workload "+w.Name+" is not active: "+t.Message, ": ")
		t.Advice = "see who made it so, and set active in its spec; or stop the call"
	case waits.Reason == "Inadmissible" && !strings.Contains(waits.Message, "assign"):
		t.Advice = "name another queue (k8s.Queue; kubectl get localqueues lists them), or have this one made or opened"
	case isTooMuch(waits.Message):
		t.Advice = "ask for less (k8s.CPU, k8s.Memory, k8s.GPU), name another queue (k8s.Queue), or have the quota of its ClusterQueue raised"
	}
	return t
}

// isTooMuch reports whether Kueue's words say that a Job asks for more than its queue
// has when nobody else is there. Of several flavors one is enough.
func isTooMuch(message string) bool {
	return !strings.Contains(message, "insufficient unused quota") &&
		(strings.Contains(message, "> maximum capacity") || strings.Contains(message, "unavailable in ClusterQueue"))
}

// Kueue asks a cluster for the turns of Jobs. It is safe for concurrent use.
type Kueue struct {
	Client rest.Interface // of any part of the API; nil: nothing is known

	mu      sync.Mutex
	version string // of its API, which the cluster prefers
}

// Turns are those of the Jobs in a namespace that wait, by their UIDs: of these Jobs
// alone, if any are named. For each five hundred it is one request. There is none for a
// Job that Kueue has no Workload of. The error is NotFound where there is no Kueue.
func (k *Kueue) Turns(ctx context.Context, namespace string, jobs ...types.UID) (map[types.UID]Turn, error) {
	if k.Client == nil {
		return nil, nil
	}
	version, err := k.preferred(ctx)
	if err != nil {
		return nil, err
	}
	path := []string{"apis", kueueGroup, version, "namespaces", namespace, "workloads"}
	if namespace == metav1.NamespaceAll {
		path = slices.Delete(path, 3, 5)
	}
	selector := jobUIDLabel
	if len(jobs) > 0 {
		var names []string
		for _, uid := range jobs {
			names = append(names, string(uid))
		}
		selector += " in (" + strings.Join(names, ",") + ")"
	}
	turns := map[types.UID]Turn{}
	for next := ""; ; {
		var page struct {
			Metadata metav1.ListMeta `json:"metadata"`
			Items    []workload      `json:"items"`
		}
		err := k.get(ctx, k.Client.Get().AbsPath(path...).Param("labelSelector", selector).Param("limit", "500").Param("continue", next), &page)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			turns[types.UID(page.Items[i].Labels[jobUIDLabel])] = page.Items[i].turn()
		}
		if next = page.Metadata.Continue; next == "" {
			return turns, nil
		}
	}
}

// preferred is the version of Kueue's API.
func (k *Kueue) preferred(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.version == "" {
		var group metav1.APIGroup
		if err := k.get(ctx, k.Client.Get().AbsPath("apis", kueueGroup), &group); err != nil {
			return "", err
		}
		k.version = group.PreferredVersion.Version
	}
	return k.version, nil
}

// get decodes an answer. Resources that are not built in have no other encoding than
// JSON.
func (k *Kueue) get(ctx context.Context, request *rest.Request, into any) error {
	text, err := request.SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// NoTurnOf is the turn of a Job that Kueue was asked about and does not know. The error
// is that of the request; where it says nothing of Kueue, nobody knows.
func NoTurnOf(err error) Turn {
	switch {
	case apierrors.IsNotFound(err):
		return Turn{"the cluster has no Kueue, which would let the Job go", "have Kueue installed, or leave out k8s.Queue"}
	case err == nil:
		return Turn{"Kueue has no Workload of the Job, as if it did not see it", "see that Kueue runs, and that it looks after Jobs of this namespace"}
	}
	return Turn{}
}
