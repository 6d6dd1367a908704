package k8s_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
)

// A worker whose pod the cluster takes away each time is given up, whatever is
// left of the retries.
func TestDisruptions(t *testing.T) {
	t.Parallel()
	said := &syncbuf.Buffer{}
	e, c, namespace := simulated(t, ends(0, time.Hour), Disruptions(2), logTo(said))
	w := start(t, e, newCall())
	pod := ""
	for i := range 3 {
		pod = isRunningSoon(t, c, w, pod)
		if err := c.Client().CoreV1().Pods(namespace).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pod}}); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			says(t, said, fmt.Sprintf(`disruption="%d of 2"`, i+1))
		}
	}
	failsWith(t, await(t, w).Err, executor.Evicted, "3 times, which is more than k8s.Disruptions(2) allows")
	if _, ok := jobIn(t, c, w.Handle()); ok {
		t.Error("its Job is still there")
	}
	text := said.String()
	if strings.Count(text, "the cluster took pods of workers away") != 2 || strings.Count(text, "workers=1 ") != 2 || !strings.Contains(text, "EvictionByEvictionAPI") {
		t.Errorf("it said:\n%s", text)
	}
}
