package k8s

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// byCaller is the index of Jobs by the Job whose program made them.
const byCaller = "caller"

func callerOf(object any) ([]string, error) {
	if caller := object.(*batchv1.Job).Annotations[kube.CallerAnnotation]; caller != "" {
		return []string{caller}, nil
	}
	return nil, nil
}

// crowded adds to a want of room that this process is a worker, and holds some
// itself while it waits. The quota of another namespace does not count it.
func crowded(by *kube.Obstacle, namespace string) *kube.Obstacle {
	here := kube.Here()
	if by == nil || by.Kind != kube.NoRoom || by.Reason == executor.LaunchRejected && namespace != here.Namespace {
		return by
	}
	with := *by
	with.Advice = here.Crowded(by.Advice)
	return &with
}

// idle is since when the workers that run only wait for Jobs of their own that
// have no room; zero while they do not.
type idle struct {
	since time.Time
	told  bool
}

// idleFor is how long that may last before it is worth a line.
const idleFor = 20 * time.Second

// tellOfParents warns once if workers run, all Jobs that they made wait for
// room, and none of them has any: perhaps the workers themselves hold it.
func (w *watch) tellOfParents(now time.Time, workers []*worker) {
	if len(w.jobs.told.ListIndexFuncValues(byCaller)) == 0 {
		w.idle = idle{} // the usual case
		return
	}
	var parents []*worker
	running, children := 0, 0
	for _, worker := range workers {
		if !worker.isRunning() {
			continue
		}
		running++
		waiting, some := w.waitingChildren(worker.job)
		if some {
			w.idle = idle{}
			return
		}
		if waiting > 0 {
			parents = append(parents, worker)
			children += waiting
		}
	}
	switch {
	case len(parents) == 0:
		w.idle = idle{}
	case w.idle.since.IsZero():
		w.idle.since = now
	case !w.idle.told && now.Sub(w.idle.since) >= idleFor:
		w.idle.told = true
		parents[0].settings.log().Warn("workers wait for Jobs of their own, and none of these finds room", "workers", len(parents), "running", running,
			"first", parents[0].name, "jobs", children, "advice", kube.RoomForChildren)
	}
}

// waitingChildren is how many Jobs that a Job's program made wait for room; some
// says that one of them has room.
func (w *watch) waitingChildren(job string) (waiting int, some bool) {
	objects, _ := w.jobs.told.ByIndex(byCaller, w.namespace+"/"+job)
	for _, object := range objects {
		child := object.(*batchv1.Job)
		if kube.Condition(child, batchv1.JobComplete) != nil || kube.Condition(child, batchv1.JobFailed) != nil {
			continue
		}
		_, pods := w.state(child.Name)
		if slices.ContainsFunc(pods, kube.HasRoom) {
			return 0, true
		}
		waiting++
	}
	return waiting, false
}
