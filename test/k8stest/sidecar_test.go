package k8stest_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// runSidecar runs beside a worker until it is told to end.
func runSidecar(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// injects makes the cluster add a container to each pod of the namespace, as
// meshes and collectors of logs do.
func (r *rig) injects(c corev1.Container) {
	r.Helper()
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/spec/containers/0", "value": c}})
	if err != nil {
		r.Fatal(err)
	}
	webhook := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
			r.Error(err)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{
			UID: review.Request.UID, Allowed: true, Patch: patch, PatchType: new(admissionv1.PatchTypeJSONPatch),
		}
		json.NewEncoder(w).Encode(review)
	}))
	webhook.Listener.Close()
	webhook.Listener = r.cluster.Listen(r)
	address := webhook.Listener.Addr().String()
	host, _, _ := net.SplitHostPort(address)
	certificate, authority := certificateFor(r.T, []string{host})
	webhook.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	webhook.StartTLS()
	r.Cleanup(webhook.Close)
	configurations := r.cluster.Client().AdmissionregistrationV1().MutatingWebhookConfigurations()
	made, err := configurations.Create(r.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: v1.ObjectMeta{GenerateName: "sidecar-"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "sidecar.mops.test", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionregistrationv1.SideEffectClassNone),
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: new("https://" + address), CABundle: []byte(authority)},
			NamespaceSelector: &v1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": r.calls.Namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, v1.CreateOptions{})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := configurations.Delete(context.Background(), made.Name, v1.DeleteOptions{}); err != nil {
			r.Error(err)
		}
	})
}

// Pods get a sidecar that nobody asked for. Each call has its result or its
// error as soon as its worker has ended, and nothing runs when the program has.
func TestSidecarsOfAWebhook(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0, nil)
	ends := map[string]string{"well": "", "badly": "error", "killed": "kill once", "crashes": "exit"}
	for name, end := range ends {
		r.calls.Works = append(r.calls.Works, Work{Name: name, End: end})
	}
	// What the API server knows of the webhook it learns a little later.
	r.injects(corev1.Container{
		Name: "agent", Image: r.calls.Image, Env: []corev1.EnvVar{{Name: enginetest.ProgramVariable, Value: "sidecar"}},
	})
	enginetest.Eventually(t, longest, "pods get a sidecar", func() bool {
		pod := &corev1.Pod{ObjectMeta: v1.ObjectMeta{Name: "probe"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: r.calls.Image}}}}
		made, err := r.cluster.Client().CoreV1().Pods(r.calls.Namespace).Create(t.Context(), pod, v1.CreateOptions{DryRun: []string{v1.DryRunAll}})
		return err == nil && len(made.Spec.Containers) == 2
	})
	p := r.start()
	if code := p.Wait(longest); code != 1 {
		t.Errorf("exit code %d", code)
	}
	reasons := map[string]string{"badly": "func", "crashes": "WorkerFailed"}
	reports := reportsOf(t, p)
	for _, report := range reports {
		if report.Reason != reasons[report.Work] {
			t.Errorf("%s: %q %s", report.Work, report.Reason, report.Error)
		}
	}
	if len(reports) != len(ends) {
		t.Errorf("%d of %d calls ended", len(reports), len(ends))
	}
	enginetest.Eventually(t, longest, "no sidecar runs", func() bool {
		pods, err := r.cluster.Client().CoreV1().Pods(r.calls.Namespace).List(t.Context(), v1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, pod := range pods.Items {
			if pod.Status.Phase == corev1.PodRunning {
				return false
			}
		}
		return true
	})
	if begun := r.begun(); begun["killed"] != 2 || begun["crashes"] != 2 || begun["well"] != 1 {
		t.Errorf("they ran so often: %v", begun)
	}
}
