package k8stest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Visit is what the program "visit" is to do: to call a function on the cluster,
// whose worker reaches the store with nothing but the identity of its pod.
type Visit struct {
	Namespace, Image string
	Cloud            string   // "azure", "aws" or "google"
	Account          string   // service account of the pod
	Authorities      string   // ConfigMap with certificates
	Variables        []string // NAME=value, in the pod
}

var visit = mops.Define("k8stest/visit", func(_ context.Context, name string) (Answer, error) {
	return Answer{name, os.Getenv("MOPS_K8S_POD")}, nil
})

func runVisit(ctx context.Context) error {
	var v Visit
	if err := enginetest.Arguments(&v); err != nil {
		return err
	}
	const authorities = "/etc/authorities"
	options := []k8s.Option{
		k8s.Namespace(v.Namespace), k8s.Image(v.Image), k8s.CPU("10m"), k8s.Memory("64Mi"), k8s.Retries(0),
		k8s.Env("SSL_CERT_FILE", authorities+"/ca.pem"), k8s.Volume(authorities, corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: v.Authorities}}}),
	}
	for _, variable := range v.Variables {
		name, value, _ := strings.Cut(variable, "=")
		options = append(options, k8s.Env(name, value))
	}
	switch v.Cloud {
	case "azure":
		options = append(options, k8s.WorkloadIdentity(v.Account), k8s.Transform(azureWebhook))
	case "aws":
		options = append(options, k8s.ServiceAccount(v.Account), k8s.Transform(awsWebhook))
	case "google":
		options = append(options, k8s.ServiceAccount(v.Account))
	}
	out, info, err := visit.With(mops.On(k8s.New(options...)), mops.Retries(0)).Do(ctx, "visitor")
	report := Report{Answer: out, Outcome: info.Outcome}
	if err != nil {
		report.Error = err.Error()
	}
	json.NewEncoder(os.Stdout).Encode(report)
	return err
}

// trip is the program "visit" and what it needs.
type trip struct {
	*testing.T
	cluster *cluster.Cluster
	visit   Visit
	root    string
	env     []string // of the program
}

func newTrip(t *testing.T, c *cluster.Cluster, cloud string, i *internet, annotations map[string]string) *trip {
	t.Helper()
	namespace, client := c.Namespace(t), c.Client().CoreV1()
	meta := v1.ObjectMeta{Name: "worker", Annotations: annotations}
	if _, err := client.ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, v1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	authorities := &corev1.ConfigMap{ObjectMeta: v1.ObjectMeta{Name: "authorities"}, Data: map[string]string{"ca.pem": i.certificates}}
	if _, err := client.ConfigMaps(namespace).Create(t.Context(), authorities, v1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return &trip{T: t, cluster: c, env: i.environment(t), visit: Visit{
		Namespace: namespace, Image: pushed(t, c), Cloud: cloud, Account: meta.Name, Authorities: authorities.Name, Variables: i.variables,
	}}
}

// run runs the program to its end.
func (v *trip) run() (Report, *enginetest.Program) {
	v.Helper()
	p := enginetest.Start(v, v.TempDir(), "visit", v.visit, append(v.env, "KUBECONFIG="+v.cluster.Kubeconfig, "MOPS_ROOT="+v.root)...)
	p.Wait(longest)
	reports := reportsOf(v.T, p)
	if len(reports) != 1 {
		v.Fatalf("%d reports; standard error:\n%s", len(reports), p.Stderr)
	}
	return reports[0], p
}

// succeeds runs it twice: the second time there is a hit.
func (v *trip) succeeds() {
	v.Helper()
	for _, want := range []mops.Outcome{mops.Computed, mops.Hit} {
		report, p := v.run()
		if report.Error != "" || report.Outcome != want || !strings.HasPrefix(report.Answer.Pod, "mops-k8stest-visit-") {
			v.Fatalf("%+v, want %v; standard error:\n%s", report, want, p.Stderr)
		}
	}
}

// fails runs it, and it says all of this.
func (v *trip) fails(says ...string) {
	v.Helper()
	report, _ := v.run()
	for _, text := range says {
		if !strings.Contains(report.Error, text) {
			v.Errorf("it does not say %q: %s", text, report.Error)
		}
	}
}

// project puts a token for the pod's service account into a file of all containers,
// as webhooks do that hand a cluster's identities to a cloud.
func project(spec *corev1.PodSpec, volume, folder, file, audience string, seconds int64, variables ...corev1.EnvVar) {
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: audience, ExpirationSeconds: &seconds, Path: file,
		}}},
	}}})
	for i := range spec.Containers {
		c := &spec.Containers[i]
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: folder, ReadOnly: true})
		c.Env = append(c.Env, variables...)
	}
}

// annotationsOf are those of the service account of a pod.
func annotationsOf(namespace string, spec *corev1.PodSpec) (map[string]string, error) {
	client, err := clientOfEnvironment()
	if err != nil {
		return nil, err
	}
	account, err := client.CoreV1().ServiceAccounts(namespace).Get(context.Background(), spec.ServiceAccountName, v1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("the webhook finds no service account: %w", err)
	}
	return account.Annotations, nil
}
