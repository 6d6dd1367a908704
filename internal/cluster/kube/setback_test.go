package kube

import (
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// podsOf are pods in the order of their age.
func podsOf(pods ...*corev1.Pod) []*corev1.Pod {
	for i, pod := range pods {
		pod.Name = fmt.Sprintf("job-%c", 'a'+i)
		pod.CreationTimestamp = metav1.Unix(int64(i), 0)
	}
	return pods
}

func says(words string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses[0].State.Terminated.Message = words }
}

func aRetryingJob(retries int32) *batchv1.Job {
	job := aJob()
	job.Spec.BackoffLimit = new(retries)
	return job
}

const drained = "EvictionByEvictionAPI"

func TestSetbacks(t *testing.T) {
	going := func(p *corev1.Pod) *corev1.Pod { // seen in its grace, and never again
		p.DeletionTimestamp = new(metav1.Unix(1, 0))
		disruptedBy(drained)(p)
		return p
	}
	crash := func(words string) *corev1.Pod { return exited(3, "Error", says(words)) }
	gone := func() *corev1.Pod { return exited(143, "Error", disruptedBy(drained)) }
	for _, test := range []struct {
		name string
		view View
		want []string        // pod, nth of most, last words
		end  executor.Reason // "": the Job goes on
		says []string
	}{
		{"a crash", View{Pods: podsOf(crash("a\nb\nc\nd\n"))}, []string{"job-a 1/2 b\nc\nd"}, "", nil},
		{"a panic", View{Pods: podsOf(exited(2, "Error", says("hello\npanic: boom\n\ngoroutine 7 [running]:\nmain.f()\n")))}, []string{"job-a 1/2 panic: boom"}, "", nil},
		{"twice", View{Pods: podsOf(crash("x"), crash("x"))}, []string{"job-a 1/2 x"}, executor.WorkerFailed,
			[]string{"worker of f@1", "crashed twice in the same way", "job-a and job-b", "exit code 3"}},
		{"twice, and the first is gone", View{Former: podsOf(crash("x"), crash("x"))[:1], Pods: podsOf(crash("x"), crash("x"))[1:]}, []string{"job-a 1/2 x"}, executor.WorkerFailed, nil},
		{"twice with a drain between", View{Pods: podsOf(crash("x"), gone(), crash("x"))}, []string{"job-a 1/2 x", "job-b 1/2 last words"}, executor.WorkerFailed, nil},
		{"two ways", View{Pods: podsOf(crash("x"), crash("y"))}, []string{"job-a 1/2 x", "job-b 2/2 y"}, "", nil},
		{"two codes", View{Pods: podsOf(crash("x"), exited(4, "Error", says("x")))}, []string{"job-a 1/2 x", "job-b 2/2 x"}, "", nil},
		{"killed twice", View{Pods: podsOf(exited(143, "Error"), exited(143, "Error"))}, []string{"job-a 1/2 last words", "job-b 2/2 last words"}, "", nil},
		{"no retry is left", View{Pods: podsOf(crash("x"), crash("y"), crash("z"))}, []string{"job-a 1/2 x", "job-b 2/2 y"}, "", nil},
		{"the Job gives up", View{Pods: podsOf(exited(137, "Error"))}, nil, "", nil},
		{"the Job has given up", View{Job: aJob(is(batchv1.JobFailureTarget, "")), Pods: podsOf(crash("x"), crash("x"))}, nil, "", nil},
		{"drained", View{Pods: podsOf(gone(), running())}, []string{"job-a 1/2 last words"}, "", nil},
		{"drained too often", View{Pods: podsOf(gone(), gone(), gone())}, []string{"job-a 1/2 last words", "job-b 2/2 last words"}, executor.Evicted,
			[]string{"worker of f@1 was evicted", "3 times", "k8s.Disruptions(2)"}},
		{"drained without a bound", View{Disruptions: -1, Pods: podsOf(gone(), gone(), gone())},
			[]string{"job-a 1/-1 last words", "job-b 2/-1 last words", "job-c 3/-1 last words"}, "", nil},
		{"gone before it ended", View{Former: podsOf(going(running()))}, []string{"job-a 1/2 "}, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := test.view
			if v.Job == nil {
				v.Job = aRetryingJob(2)
			}
			if v.Disruptions == 0 {
				v.Disruptions = 2
			}
			v.Worker, v.Protocol = "worker of f@1", true
			d := Decide(v)
			var got []string
			for _, s := range d.Setbacks {
				got = append(got, fmt.Sprintf("%s %d/%d %s", s.Pod, s.Nth, s.Most, s.LastWords))
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
			switch {
			case d.Hopeless == nil && test.end == "":
			case d.Hopeless == nil || d.Hopeless.Reason != test.end || d.Pod == "":
				t.Errorf("%v, want %q", d.Hopeless, test.end)
			default:
				for _, says := range test.says {
					if !strings.Contains(d.Hopeless.Message, says) {
						t.Errorf("it does not say %q: %s", says, d.Hopeless.Message)
					}
				}
			}
		})
	}
	launched := Decide(View{Worker: "program", Job: aRetryingJob(2), Pods: podsOf(crash("x"), crash("x")), Disruptions: 2})
	if launched.Hopeless != nil || len(launched.Setbacks) != 2 {
		t.Errorf("whoever launches a program says how often: %+v", launched)
	}
}

// Crashes are alike if only numbers, addresses, times and names of pods differ.
func TestCrashesAlike(t *testing.T) {
	report := func(goroutine, address, offset int, name string) string {
		return fmt.Sprintf("panic: runtime error: index out of range [%[4]s]\n\ngoroutine %[1]d [running]:\nmain.fit(%#[2]x, 0x3)\n\t/src/main.go:17 +%#[3]x\ncreated by main.run in goroutine %[1]d\n",
			goroutine, address, offset, name)
	}
	long := strings.Repeat("a line of the log, which has many of them\n", 60)
	for _, test := range []struct {
		name, one, two string
		same           bool
	}{
		{"nothing said", "", "", true},
		{"a panic", report(7, 0x4000012, 0x1d, "3"), report(11, 0x50000a, 0x2f1, "3"), true},
		{"another panic", report(7, 0x4000012, 0x1d, "i"), report(7, 0x4000012, 0x1d, "j"), false},
		{"a panic after other lines", "one\n" + report(7, 1, 1, "3"), "two\nthree\n" + report(7, 1, 1, "3"), true},
		{"times", "2026-11-29T14:02:11.123Z took 1.5s", "2026-11-30T09:00:00.5Z took 950ms", true},
		{"pods", "on job-a: no such file", "on job-b: no such file", true},
		{"ids", "run 0ac4e1f2-9b1c-4e5d-8f00-2b9d failed", "run 1bc4e1f2-8b1c-5e5d-9f11-3c9e failed", true},
		{"other words", "no such file", "permission denied", false},
		{"more words", "one\nno such file", "no such file", false},
		{"a long log, cut elsewhere", long[len(long)-2048:] + "the end", long[len(long)-2040:] + "the end", true},
		{"a long log, and another end", long[len(long)-2048:] + "the end", long[len(long)-2048:] + "an end", false},
	} {
		pods := podsOf(exited(3, "Error", says(test.one)), exited(3, "Error", says(test.two)))
		one, _ := failureOf(pods[0], true)
		two, _ := failureOf(pods[1], true)
		if got := one.isLike(two); got != test.same {
			t.Errorf("%s: alike is %v", test.name, got)
		}
	}
}
