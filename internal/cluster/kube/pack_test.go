package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// of makes pods those of a pack's worker, and names them after it.
func of(worker int, pods ...*corev1.Pod) []*corev1.Pod {
	for i, pod := range pods {
		pod.Name = fmt.Sprintf("job-%d-%c", worker, 'a'+i)
		pod.Labels[IndexLabel] = fmt.Sprint(worker)
		pod.CreationTimestamp = metav1.Unix(int64(10*i+worker), 0)
	}
	return pods
}

// lived makes a pod one that lived so long.
func lived(d time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		t := Terminated(p)
		t.StartedAt, t.FinishedAt = metav1.Unix(100, 0), metav1.NewTime(time.Unix(100, 0).Add(d))
	}
}

func going(p *corev1.Pod) *corev1.Pod {
	p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	return p
}

func TestPacks(t *testing.T) {
	done := func() *corev1.Pod { return exited(0, "Completed") }
	crash := func(words string, after time.Duration) *corev1.Pod {
		return exited(3, "Error", says(words), lived(after))
	}
	silent := func() *corev1.Pod {
		p := running()
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue}}
		return p
	}
	noRoom := func() *corev1.Pod { return pending("Unschedulable", "0/1 nodes are available") }
	failedFor := func(reason string) *batchv1.Job {
		job := aJob(is(batchv1.JobFailed, reason))
		job.Status.Failed = 4
		return job
	}
	deleting := aJob()
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	type pods = []*corev1.Pod
	for _, test := range []struct {
		name     string
		job      *batchv1.Job // nil: one that goes on
		workers  [3]pods
		gone     bool
		want     string // what Decide says, and the stage if it has not ended
		reason   executor.Reason
		says     string
		setbacks string
	}{
		{name: "all run", workers: [3]pods{{running()}, {running()}, {running()}}, want: "running"},
		{name: "no pod yet", want: "pending"},
		{name: "one runs, others find no room", workers: [3]pods{{running()}, {noRoom()}, {noRoom()}}, want: "running"},
		{name: "one runs, others find no image", workers: [3]pods{{running()}, {waits("ErrImagePull", "not found")}}, want: "running"},
		{name: "images come", workers: [3]pods{{noRoom()}, {waits("ContainerCreating", "")}, {noRoom()}}, want: "starting", reason: executor.Unschedulable},
		{name: "no room", workers: [3]pods{{noRoom()}, {noRoom()}, {noRoom()}}, want: "pending", reason: executor.Unschedulable, says: "0/1 nodes"},
		{name: "no image, and no room for others", workers: [3]pods{{noRoom()}, {waits("ErrImagePull", "not found")}, {noRoom()}}, want: "starting", reason: executor.ImagePull},
		{name: "one crashed, and finds no room", workers: [3]pods{{crash("x", time.Minute), noRoom()}, {done()}, {done()}}, want: "pending", reason: executor.Unschedulable, setbacks: "job-0-a 1/2"},
		{name: "gated", workers: [3]pods{{pending("SchedulingGated", "")}, {pending("SchedulingGated", "")}}, want: "queued"},

		{name: "one is done", workers: [3]pods{{done()}, {running()}, {running()}}, want: "running"},
		{name: "two are done, one died", workers: [3]pods{{done()}, {done()}, {exited(137, "OOMKilled", lived(time.Minute))}}, want: "pending", setbacks: "job-2-a 1/2"},
		{name: "all are done", workers: [3]pods{{done()}, {done()}, {done()}}, want: "ended 0"},
		{name: "all are done, some after others", workers: [3]pods{{crash("x", time.Minute), done()}, {done()}, {exited(143, "Error", disruptedBy(drained)), done()}}, want: "ended 0"},
		{name: "all are done in pods that go", workers: [3]pods{{going(done())}, {done()}, {done()}}, want: "ended 0"},
		{name: "all are done, and the Job is complete", job: aJob(is(batchv1.JobComplete, "")), workers: [3]pods{{done()}, {done()}, {done()}}, want: "ended 0"},
		{name: "complete, no pods", job: aJob(is(batchv1.JobComplete, "")), want: "ended 0"},
		{name: "all are done, and the Job is gone", gone: true, workers: [3]pods{{done()}, {done()}, {done()}}, want: "ended 0"},
		{name: "nothing was left for those without room", workers: [3]pods{{done()}, {noRoom()}, {noRoom()}}, want: "ended 0, leftover"},
		{name: "nothing was left for those that start", workers: [3]pods{{done()}, {waits("ContainerCreating", "")}}, want: "ended 0, leftover"},
		{name: "the same in a Job that goes", job: deleting, workers: [3]pods{{done()}, {noRoom()}, {noRoom()}}, want: "ended 0"},
		{name: "one was evicted, and finds no room", workers: [3]pods{{done()}, {exited(137, "Error", evicted), noRoom()}, {done()}}, want: "pending", reason: executor.Unschedulable, setbacks: "job-1-a 1/2"},

		{name: "sidecars run on", workers: [3]pods{{beside(done())}, {beside(done())}, {beside(done())}}, want: "ended 0, leftover"},
		{name: "a sidecar runs on, and others work", workers: [3]pods{{beside(done())}, {running()}, {running()}}, want: "running"},
		{name: "a sidecar failed, and another pod follows", workers: [3]pods{{exited(0, "Completed", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), running()}, {done()}, {done()}}, want: "ended 0, leftover"},
		{name: "a sidecar outlives a crash", workers: [3]pods{{beside(crash("x", time.Minute))}, {running()}, {running()}}, want: "running, stranded job-0-a", setbacks: "job-0-a 1/2"},
		{name: "a sidecar outlives one that is unfit", workers: [3]pods{{running()}, {beside(exited(48, "Error"))}, {running()}}, want: "hopeless job-1-a", reason: executor.WorkerFailed, says: "pod job-1-a of the pack of f@1 ended with exit code 48"},

		{name: "each call kills a pod", workers: [3]pods{{crash("x", time.Minute), running()}, {crash("x", time.Second), running()}}, want: "running", setbacks: "job-0-a 1/2, job-1-a 1/2"},
		{name: "none runs, but one did", workers: [3]pods{{crash("x", time.Minute)}, {crash("x", time.Second)}, {crash("x", time.Second)}}, want: "pending", setbacks: "job-0-a 1/2, job-1-a 1/2, job-2-a 1/2"},
		{name: "one is done, others crash", workers: [3]pods{{done()}, {crash("x", time.Second)}, {crash("x", time.Second)}}, want: "pending", setbacks: "job-1-a 1/2, job-2-a 1/2"},
		{name: "stillborn", workers: [3]pods{{crash("x", time.Second)}, {noRoom()}, {crash("x", time.Second)}}, want: "hopeless job-2-a", reason: executor.WorkerFailed, says: "crashed twice in the same way", setbacks: "job-0-a 1/2"},
		{name: "stillborn, in two ways", workers: [3]pods{{crash("x", time.Second)}, {crash("y", time.Second)}}, want: "pending", setbacks: "job-0-a 1/2, job-1-a 1/2"},
		{name: "one dies too often, others go on", workers: [3]pods{{crash("x", time.Minute), crash("x", time.Minute), crash("x", time.Minute)}, {running()}, {done()}}, want: "running", setbacks: "job-0-a 1/2, job-0-b 2/2, job-0-c 2/2 last"},
		{name: "one was drained too often", workers: [3]pods{{exited(143, "Error", disruptedBy(drained)), exited(143, "Error", disruptedBy(drained)), exited(143, "Error", disruptedBy(drained))}, {running()}},
			want: "hopeless job-0-c", reason: executor.Evicted, says: "k8s.Disruptions(2)", setbacks: "job-0-a 1/2, job-0-b 2/2"},
		{name: "many were drained", workers: [3]pods{{exited(143, "Error", disruptedBy(drained)), running()}, {exited(143, "Error", disruptedBy(drained)), running()}, {exited(143, "Error", disruptedBy(drained))}},
			want: "running", setbacks: "job-0-a 1/2, job-1-a 1/2, job-2-a 1/2"},

		{name: "codes of calls say nothing", workers: [3]pods{{exited(46, "Error", lived(time.Minute))}, {running()}, {exited(47, "Error")}}, want: "running", setbacks: "job-0-a 1/2, job-2-a 1/2"},
		{name: "unfit", workers: [3]pods{{exited(48, "Error")}, {running()}, {running()}}, want: "running"},
		{name: "unfit, and the others are being ended", job: aJob(is(batchv1.JobFailureTarget, batchv1.JobReasonPodFailurePolicy)), workers: [3]pods{{exited(48, "Error")}, {going(running())}}, want: "running"},
		{name: "unfit, and the others were ended", job: failedFor(batchv1.JobReasonPodFailurePolicy), workers: [3]pods{{exited(48, "Error")}, {going(exited(143, "Error"))}, {going(exited(143, "Error"))}},
			want: "ended 48", reason: executor.WorkerFailed, says: "pod job-0-a of the pack of f@1 ended with exit code 48"},
		{name: "not a program", job: failedFor(batchv1.JobReasonPodFailurePolicy), workers: [3]pods{{exited(128, "StartError")}, {going(exited(143, "Error"))}}, want: "ended 128", reason: executor.NotStarted, says: "could not be started"},
		{name: "one died too often", job: failedFor("FailedIndexes"), workers: [3]pods{{done()}, {crash("x", time.Minute), exited(137, "OOMKilled")}, {done()}},
			want: "ended 137", reason: executor.OOMKilled, says: "pod job-1-b of the pack of f@1 ran out of memory"},
		{name: "the deadline", job: failedFor(batchv1.JobReasonDeadlineExceeded), workers: [3]pods{{exited(143, "Error")}}, want: "ended -1", reason: executor.DeadlineExceeded, says: "k8s.Deadline"},
		{name: "failed, pods gone", job: failedFor("FailedIndexes"), want: "ended -1", reason: executor.WorkerFailed, says: "the controller says so"},

		{name: "being deleted", job: deleting, workers: [3]pods{{going(running())}, {going(running())}}, want: "running"},
		{name: "deleted, one pod is there", gone: true, workers: [3]pods{{going(exited(143, "Error"))}, {going(running())}}, want: "running"},
		{name: "deleted", gone: true, workers: [3]pods{{going(exited(143, "Error"))}}, want: "ended -1", reason: executor.WorkerLost, says: "deleted"},

		{name: "a silent node", workers: [3]pods{{silent()}, {running()}}, want: "running"},
		{name: "all are silent", workers: [3]pods{{silent()}, {silent()}, {noRoom()}}, want: "running, silent"},
		{name: "the others are done", workers: [3]pods{{done()}, {silent()}, {done()}}, want: "running, silent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			job := test.job
			if job == nil {
				job = aJob()
			}
			job.Spec.BackoffLimitPerIndex = new(int32(2))
			v := View{Worker: "pack of f@1", Job: job, Protocol: true, Workers: 3, Disruptions: 2, Gone: test.gone}
			if test.gone {
				v.Job = nil
			}
			for i, pods := range test.workers {
				v.Pods = append(v.Pods, of(i, pods...)...)
			}
			d := Decide(v)
			got, err := string(StageOf(v)), d.Exit.Err
			switch {
			case d.Ended:
				got = fmt.Sprint("ended ", d.Exit.Code)
			case d.Hopeless != nil:
				got, err = "hopeless "+d.Pod, d.Hopeless
			case d.Stuck != nil:
				err = d.Stuck.Err("pack of f@1", 0)
			}
			if d.Leftover {
				got += ", leftover"
			}
			if d.Stranded != "" && d.Hopeless == nil {
				got += ", stranded " + d.Stranded
			}
			if SilenceOf(v.Pods) != nil && v.Job != nil && v.Job.DeletionTimestamp == nil && Condition(job, batchv1.JobFailureTarget) == nil && !d.Ended {
				got += ", silent"
			}
			if got != test.want {
				t.Errorf("%s; want %s", got, test.want)
			}
			if (err != nil) != (test.reason != "") || err != nil && (err.Reason != test.reason || !strings.Contains(err.Message, test.says) || !strings.Contains(err.Message, "pack of f@1")) {
				t.Errorf("%v; want %s and %q", err, test.reason, test.says)
			}
			var setbacks []string
			for _, s := range d.Setbacks {
				text := fmt.Sprintf("%s %d/%d", s.Pod, s.Nth, s.Most)
				if s.Last {
					text += " last"
				}
				setbacks = append(setbacks, text)
			}
			if strings.Join(setbacks, ", ") != test.setbacks {
				t.Errorf("the setbacks are %q; want %q", setbacks, test.setbacks)
			}
		})
	}
}

// A worker that is seen before its Job says nothing of the others.
func TestPackBeforeItsJob(t *testing.T) {
	v := View{Protocol: true, Workers: 2, Pods: append(of(0, exited(0, "Completed")), of(1, running())...)}
	if d := Decide(v); d.Ended {
		t.Errorf("%+v", d)
	}
}
