package k8stest_test

import (
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/internal/emulator"
	"github.com/TrilliantHealth/mops-go/internal/enginetest"
)

// Pods reach the store over the network, with credentials from a Secret, which
// stand neither in the Job nor in what is printed or kept.
func TestStoresFromPods(t *testing.T) {
	for name, c := range map[string]struct {
		start     func(testing.TB) *emulator.Server
		variables []string
	}{
		"adls": {emulator.Azurite, []string{"AZURE_STORAGE_KEY"}},
		"s3":   {emulator.S3, []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 3, nil)
			server := c.start(t)
			r.root = server.At(t, r.cluster.Forward(t, server.Address()))
			r.calls.Secret = "store"
			secret := corev1.Secret{ObjectMeta: v1.ObjectMeta{Name: r.calls.Secret}, StringData: map[string]string{}}
			for _, variable := range c.variables {
				secret.StringData[variable] = os.Getenv(variable)
			}
			client := r.cluster.Client()
			if _, err := client.CoreV1().Secrets(r.calls.Namespace).Create(t.Context(), &secret, v1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			p := r.start()
			for _, report := range r.expect(p, 3*time.Minute) {
				if report.Outcome != mops.Computed {
					t.Errorf("%+v", report)
				}
			}
			log := enginetest.Logs(t, r.root)
			if strings.Count(log, "ends\n") != len(r.calls.Works) {
				t.Errorf("the logs in the store are %q", log)
			}
			jobs, err := client.BatchV1().Jobs(r.calls.Namespace).List(t.Context(), v1.ListOptions{})
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
