package kube

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

func TestWhatRuns(t *testing.T) {
	for _, test := range []struct {
		job  kube.JobStatus
		want string
	}{
		{kube.JobStatus{Image: "tool:1"}, "tool:1"},
		{kube.JobStatus{Image: "a:1", Function: "f@1"}, "f@1"},
		{kube.JobStatus{Function: "f@1", Workers: 1}, "f@1, many calls by 1 worker"},
		{kube.JobStatus{Function: "f@1", Workers: 8, Succeeded: 3}, "f@1, many calls by 8 workers: 3 done"},
		{kube.JobStatus{Function: "f@1", Workers: 8, Succeeded: 3, FailedPods: 1}, "f@1, many calls by 8 workers: 3 done, 1 pod failed"},
	} {
		if got := whatRuns(test.job); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
