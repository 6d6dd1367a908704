package k8s

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// bare is a watch that nobody tells anything.
func bare() *watch {
	return &watch{cluster: &cluster{}, namespace: "ns", log: slog.New(slog.DiscardHandler), users: 100, workers: map[string][]*worker{}}
}

// follows has a watch told of events that a test makes, until its end.
func follows(t *testing.T, w *watch) (jobs, pods *apiwatch.FakeWatcher) {
	t.Helper()
	from := func(list runtime.Object, events apiwatch.Interface) *cache.ListWatch {
		return &cache.ListWatch{
			ListWithContextFunc:  func(context.Context, metav1.ListOptions) (runtime.Object, error) { return list, nil },
			WatchFuncWithContext: func(context.Context, metav1.ListOptions) (apiwatch.Interface, error) { return events, nil },
		}
	}
	jobs, pods = apiwatch.NewFake(), apiwatch.NewFake()
	ctx, cancel := context.WithCancel(context.Background())
	w.follow(ctx, from(&batchv1.JobList{}, jobs), from(&corev1.PodList{}, pods))
	t.Cleanup(func() {
		cancel()
		w.working.Wait()
	})
	return jobs, pods
}

// podIn is a pod of the Job "job", with a worker in a state.
func podIn(state corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod", Labels: map[string]string{jobNameLabel: "job"}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: kube.ContainerName, State: state}},
		},
	}
}

// A process that is held up is told late that a pod ran, ended and is gone: it knows how
// the pod ended all the same.
func TestPodThatIsGoneBeforeItIsLookedAt(t *testing.T) {
	running := podIn(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	evicted := running.DeepCopy()
	evicted.DeletionTimestamp = new(metav1.Now())
	evicted.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI"}}
	for name, c := range map[string]struct {
		last *corev1.Pod
		want string
	}{
		"evicted": {evicted, "ended false, code 0, 1 setbacks"},
		"failed":  {podIn(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: executor.ExitFunc}}), "ended true, code 46, 0 setbacks"},
	} {
		t.Run(name, func(t *testing.T) {
			w := bare()
			jobs, pods := follows(t, w)
			goOn := make(chan struct{})
			inv := call()
			inv.Tell = func(stage executor.Stage) {
				if stage == executor.Running {
					<-goOn
				}
			}
			s := New(Disruptions(3)).settings
			worker := newWorker(w, &s, "job", inv)
			becomes := func(of cache.Store, n int) {
				for len(of.List()) != n { // client-go has no event for it
					time.Sleep(time.Millisecond)
				}
			}
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job", UID: "1"}}
			jobs.Add(job)
			becomes(w.jobs.told, 1)
			worker.exists(job)
			pods.Add(running)
			becomes(w.pods.told, 1) // it is looked at, until it may go on
			pods.Modify(c.last)
			pods.Delete(c.last)
			becomes(w.pods.informer.GetStore(), 0)
			close(goOn)
			becomes(w.pods.told, 0)
			w.look("job")
			worker.mu.Lock()
			defer worker.mu.Unlock()
			if got := fmt.Sprintf("ended %t, code %d, %d setbacks", worker.ended(), worker.exit.Code, len(worker.setbacks)); got != c.want {
				t.Errorf("%s; want %s", got, c.want)
			}
		})
	}
}

// Who waits for room waits while others run, however seldom this process gets to look.
func TestRoomGraceWhileOthersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bare()
		s := New(RoomGrace(time.Minute)).settings
		other, waits := newWorker(w, &s, "other", call()), newWorker(w, &s, "waits", call())
		givenUp := func() bool {
			waits.mu.Lock()
			defer waits.mu.Unlock()
			waits.keep(&kube.Obstacle{Reason: executor.Unschedulable, Kind: kube.NoRoom}, time.Now())
			return waits.cause != nil
		}
		becomes := func(stage executor.Stage) {
			other.mu.Lock()
			defer other.mu.Unlock()
			other.goes(stage)
		}
		becomes(executor.Running)
		if givenUp() {
			t.Fatal("at once")
		}
		time.Sleep(time.Hour)
		if givenUp() {
			t.Fatal("while the other one runs")
		}
		becomes(executor.Pending)
		becomes(executor.Running)
		time.Sleep(time.Hour)
		other.Release()
		time.Sleep(59 * time.Second)
		if givenUp() {
			t.Fatal("before its time")
		}
		time.Sleep(time.Second)
		if !givenUp() {
			t.Error("never")
		}
	})
}
