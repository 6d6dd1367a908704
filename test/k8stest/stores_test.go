package k8stest_test

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// reachable are the stores that pods reach over the network, with the variables that
// their credentials are in.
var reachable = map[string]struct {
	start     func(testing.TB) *emulator.Server
	variables []string
}{
	"adls": {emulator.Azurite, []string{"AZURE_STORAGE_KEY"}},
	"s3":   {emulator.S3, []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}},
}

// useSecret gives workers the variables of this process in a Secret.
func (r *rig) useSecret(variables []string) {
	r.Helper()
	r.calls.Secret = "store"
	secret := corev1.Secret{ObjectMeta: v1.ObjectMeta{Name: r.calls.Secret}, StringData: map[string]string{}}
	for _, variable := range variables {
		secret.StringData[variable] = os.Getenv(variable)
	}
	if _, err := r.cluster.Client().CoreV1().Secrets(r.calls.Namespace).Create(r.Context(), &secret, v1.CreateOptions{}); err != nil {
		r.Fatal(err)
	}
}

// Pods reach the store over the network, with credentials from a Secret, which
// stand neither in the Job nor in what is printed or kept.
func TestStoresFromPods(t *testing.T) {
	t.Parallel()
	for name, c := range reachable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 3, nil)
			server := c.start(t)
			r.root = server.At(t, r.cluster.Forward(t, server.Address()))
			r.useSecret(c.variables)
			p := r.start()
			for _, report := range r.expect(p) {
				if report.Outcome != mops.Computed {
					t.Errorf("%+v", report)
				}
			}
			log := enginetest.Logs(t, r.root)
			if strings.Count(log, "ends\n") != len(r.calls.Works) {
				t.Errorf("the logs in the store are %q", log)
			}
			jobs, err := r.cluster.Client().BatchV1().Jobs(r.calls.Namespace).List(t.Context(), v1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for where, text := range map[string]string{"what is printed": p.Stdout.String() + p.Stderr.String(), "the log": log, "a Job": jobs.String()} {
				if strings.Contains(text, os.Getenv(c.variables[len(c.variables)-1])) {
					t.Errorf("the secret stands in %s", where)
				}
			}
		})
	}
}

// The store is away, for program and pods, when functions end: what they computed
// is kept, and nothing runs twice.
func TestOutageWhenPodsEnd(t *testing.T) {
	t.Parallel()
	outage, ran := 20*time.Second, time.Duration(0) // eight tries take 13 at most, and the least patience is a minute
	if soak {
		outage, ran = 3*time.Minute, 4*time.Minute
	}
	for name, c := range reachable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 3, func(w *Work) { w.Gate = true; w.Seconds = ran.Seconds() })
			server := c.start(t)
			proxy := faultproxy.New(t, "http://"+server.Address())
			var down atomic.Bool
			proxy.Strike(-1, server.Throttled, func(*http.Request) bool { return down.Load() })
			r.root = server.At(t, r.cluster.Forward(t, strings.TrimPrefix(proxy.URL, "http://")))
			r.useSecret(c.variables)
			p := r.start()
			r.awaitBegun(len(r.calls.Works))
			down.Store(true)
			r.open()
			select {
			case <-p.Done():
			case <-time.After(ran + outage):
			}
			down.Store(false)
			r.expect(p)
			r.once()
			for _, report := range r.expect(r.start()) {
				if report.Outcome != mops.Hit {
					t.Errorf("%+v", report)
				}
			}
			if n := strings.Count(enginetest.Logs(t, r.root), "ends\n"); n != len(r.calls.Works) {
				t.Errorf("the logs in the store have %d ends", n)
			}
		})
	}
}
