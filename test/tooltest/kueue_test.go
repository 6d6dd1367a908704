package tooltest

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// The tool says of a Job in a queue what Kueue says, to whoever may see that, and of
// all others that it is queued.
func TestJobsInAQueue(t *testing.T) {
	c := cluster.Simulated(t)
	r := rigOn(t, c)
	queue := c.Queue(t, r.namespace, "1")
	r.grant("--user", r.user)
	r.run(0, "k8s", "launch", "--detach", "--name", "large", "--queue", queue, "--cpu", "2", "image:1")
	r.run(0, "k8s", "launch", "--detach", "--name", "lost", "--queue", "nowhere", "image:1")
	if out, _ := r.run(0, "k8s", "jobs"); !strings.HasSuffix(out, "\n2 Jobs: 2 queued\n") || strings.Contains(out, "!") {
		t.Errorf("without the permission:\n%s", out)
	}
	r.environment = append(r.environment, "MOPS_K8S_QUEUE="+queue)
	if out, _ := r.run(0, "doctor", "--k8s"); !strings.Contains(out, "WARN  queue") || !strings.Contains(out, "--kueue") {
		t.Errorf("without the permission:\n%s", out)
	}
	r.grant("--kueue", "--user", r.user)
	for _, says := range []string{
		"! couldn't assign flavors to pod set main: insufficient quota for cpu in flavor default, previously considered podsets requests (0) + current podset request (2) > maximum capacity (1)\n",
		"! LocalQueue nowhere doesn't exist\n",
	} {
		var out string
		r.eventually("mops k8s jobs says "+says, func() bool {
			out, _ = r.run(0, "k8s", "jobs")
			return strings.Contains(out, says)
		})
	}
	if out, _ := r.run(0, "doctor", "--k8s"); !strings.Contains(out, "queue") || strings.Contains(out, "WARN  queue") {
		t.Errorf("with the permission:\n%s", out)
	}
	r.run(0, "k8s", "stop", "--all", "--yes")
	r.eventually("no Workload is left", func() bool { return len(c.Workloads(t, r.namespace)) == 0 })
}
