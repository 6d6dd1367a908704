package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/TrilliantHealth/mops-go/test/toolcache"
)

// KueueVersion is the release of Kueue that tests run
// (https://kueue.sigs.k8s.io/docs/installation).
const KueueVersion = "v0.17.0"

// kueue is needed by those tests alone that ask for it.
var kueue = program{name: "kueue", pkg: "sigs.k8s.io/kueue/cmd/kueue", version: KueueVersion}

// BuildKueue gets Kueue, unless it is in the user's cache folder, like [Build]: the
// program, and beside it the manifests of its release. It takes some minutes.
func BuildKueue(ctx context.Context, tell func(what string)) error {
	_, err := toolcache.Folder(kueue.folder(), func(folder string) error {
		tell("building Kueue " + KueueVersion)
		if err := install(ctx, kueue.pkg+"@"+kueue.version, folder); err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", "sigs.k8s.io/kueue@"+kueue.version).Output()
		if err != nil {
			return err
		}
		var module struct{ Dir string }
		if err := json.Unmarshal(out, &module); err != nil {
			return err
		}
		return os.CopyFS(filepath.Join(folder, "config"), os.DirFS(filepath.Join(module.Dir, "config", "components")))
	})
	if err != nil {
		return fmt.Errorf("build Kueue: %w", err)
	}
	return nil
}

// What an installation of Kueue calls its things.
const (
	kueueNamespace = "kueue-system"
	kueueService   = "kueue-webhook-service"
	kueueSecret    = "kueue-webhook-server-cert"
	kueueFlavor    = "default"
	kueueLabel     = "mops.test/kueue" // of namespaces whose Jobs Kueue gets to see
)

// The resources that are not built into Kubernetes.
var (
	definitions    = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	workloads      = kueueResource("workloads")
	localQueues    = kueueResource("localqueues")
	clusterQueues  = kueueResource("clusterqueues")
	flavors        = kueueResource("resourceflavors")
	webhookConfigs = map[string]schema.GroupVersionResource{
		"MutatingWebhookConfiguration":   {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
		"ValidatingWebhookConfiguration": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	}
)

func kueueResource(name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "kueue.x-k8s.io", Version: "v1beta2", Resource: name}
}

// WithKueue starts Kueue in the cluster, unless it runs there. Where it is not built,
// the test is left out.
func (c *Cluster) WithKueue(tb testing.TB) {
	tb.Helper()
	if !isFile(kueue.path()) {
		tb.Skip(fmt.Errorf("%w: Kueue is not built; run \"make cluster-binaries\"", ErrMissing))
	}
	c.kueueOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		c.kueueErr = c.startKueue(ctx)
	})
	if c.kueueErr != nil {
		tb.Fatal("start Kueue:", c.kueueErr)
	}
}

// startKueue does what an installation does, but for the Deployment: the program runs
// beside those of the control plane, which reach it by a Service that is a name for the
// loopback address.
func (c *Cluster) startKueue(ctx context.Context) error {
	core, create := c.client.CoreV1(), metav1.CreateOptions{}
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: kueueNamespace}}, create)
	if err != nil {
		return err
	}
	_, err = core.Services(kueueNamespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: kueueService}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: loopback},
	}, create)
	if err != nil {
		return err
	}
	if _, err = core.Secrets(kueueNamespace).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: kueueSecret}}, create); err != nil {
		return err
	}
	if err := c.installKueue(ctx); err != nil {
		return err
	}
	kubeconfig, err := c.user("kueue", "kueue", "system:masters")
	if err != nil {
		return err
	}
	certificates := filepath.Join(c.slot.dir, "kueue-certificates")
	if err := os.Mkdir(certificates, 0o700); err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"apiVersion": "config.kueue.x-k8s.io/v1beta2", "kind": "Configuration", "namespace": kueueNamespace,
		"health": map[string]any{"healthProbeBindAddress": "0"}, "metrics": map[string]any{"bindAddress": "0"},
		"webhook":                map[string]any{"host": loopback, "port": c.slot.port(kueuePort), "certDir": certificates},
		"leaderElection":         map[string]any{"leaderElect": false},
		"internalCertManagement": map[string]any{"enable": true, "webhookServiceName": kueueService, "webhookSecretName": kueueSecret},
		"clientConnection":       map[string]any{"qps": 1000, "burst": 2000},
		"integrations":           map[string]any{"frameworks": []string{"batch/job"}},
		"featureGates":           map[string]bool{"VisibilityOnDemand": false},
		// Tests without Kueue share the cluster, and play it with Jobs that name a queue.
		"managedJobsNamespaceSelector": map[string]any{"matchLabels": map[string]any{kueueLabel: "true"}},
	})
	if err != nil {
		return err
	}
	path, err := c.writeFile("kueue.yaml", string(config))
	if err != nil {
		return err
	}
	if err := c.runCommand("kueue", c.command(kueue.path(), "--config="+path, "--kubeconfig="+kubeconfig, "--zap-log-level=2")); err != nil {
		return err
	}
	// In a pod the Secret would be mounted.
	err = c.until(ctx, "the certificate of Kueue", func(ctx context.Context) error {
		secret, err := core.Secrets(kueueNamespace).Get(ctx, kueueSecret, metav1.GetOptions{})
		switch {
		case err != nil:
			return err
		case len(secret.Data["tls.crt"]) == 0 || len(secret.Data["tls.key"]) == 0:
			return errors.New("it is not there yet")
		}
		return errors.Join(
			os.WriteFile(filepath.Join(certificates, "tls.key"), secret.Data["tls.key"], 0o600),
			os.WriteFile(filepath.Join(certificates, "tls.crt"), secret.Data["tls.crt"], 0o600))
	})
	if err != nil {
		return err
	}
	return c.until(ctx, "Kueue", func(ctx context.Context) error { // which looks at what is created
		return c.createKueue(ctx, flavors, "ResourceFlavor", "", kueueFlavor, map[string]any{})
	})
}

// installKueue creates the manifests of the release that it needs to look after Jobs.
func (c *Cluster) installKueue(ctx context.Context) error {
	client, err := dynamic.NewForConfig(c.RESTConfig())
	if err != nil {
		return err
	}
	service := func() map[string]any {
		return map[string]any{"namespace": kueueNamespace, "name": kueueService, "port": int64(c.slot.port(kueuePort))}
	}
	config := os.DirFS(filepath.Join(toolcache.Path(kueue.folder()), "config"))
	err = eachManifest(config, "crd/bases/*.yaml", func(crd *unstructured.Unstructured) error {
		// As crd/kustomization.yaml has it.
		if isFileIn(config, "crd/patches/webhook_in_"+strings.TrimSuffix(crd.GetName(), ".kueue.x-k8s.io")+".yaml") && !strings.HasPrefix(crd.GetName(), "resourceflavors") {
			to := service()
			to["path"] = "/convert"
			crd.Object["spec"].(map[string]any)["conversion"] = map[string]any{"strategy": "Webhook", "webhook": map[string]any{
				"clientConfig": map[string]any{"service": to}, "conversionReviewVersions": []any{"v1"}}}
		}
		_, err := client.Resource(definitions).Create(ctx, crd, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	err = c.until(ctx, "the resources of Kueue", func(ctx context.Context) error {
		_, err := client.Resource(workloads).List(ctx, metav1.ListOptions{Limit: 1})
		return err
	})
	if err != nil {
		return err
	}
	return eachManifest(config, "webhook/manifests.yaml", func(o *unstructured.Unstructured) error {
		o.SetName("kueue-" + o.GetName())
		var kept []any
		for _, each := range o.Object["webhooks"].([]any) {
			webhook := each.(map[string]any)
			path, _, _ := unstructured.NestedString(webhook, "clientConfig", "service", "path")
			if !strings.HasSuffix(path, "-batch-v1-job") && !strings.Contains(path, "-kueue-x-k8s-io-") {
				continue
			}
			to := service()
			to["path"] = path
			webhook["clientConfig"] = map[string]any{"service": to}
			if strings.HasSuffix(path, "-job") { // tests without Kueue share the cluster
				webhook["namespaceSelector"] = map[string]any{"matchLabels": map[string]any{kueueLabel: "true"}}
			}
			kept = append(kept, webhook)
		}
		o.Object["webhooks"] = kept
		_, err := client.Resource(webhookConfigs[o.GetKind()]).Create(ctx, o, metav1.CreateOptions{})
		return err
	})
}

func isFileIn(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}

// eachManifest does something with each object of some YAML files.
func eachManifest(fsys fs.FS, pattern string, do func(*unstructured.Unstructured) error) error {
	paths, err := fs.Glob(fsys, pattern)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("there is no %s", pattern)
	}
	slices.Sort(paths)
	for _, path := range paths {
		text, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
			o := &unstructured.Unstructured{}
			if err := decoder.Decode(o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if len(o.Object) == 0 {
				continue
			}
			if err := do(o); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}

// createKueue creates an object of Kueue's. The namespace is "" for those that have
// none.
func (c *Cluster) createKueue(ctx context.Context, resource schema.GroupVersionResource, kind, namespace, name string, spec map[string]any) error {
	client, err := dynamic.NewForConfig(c.RESTConfig())
	if err != nil {
		return err
	}
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": resource.GroupVersion().String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}
	var to dynamic.ResourceInterface = client.Resource(resource)
	if namespace != "" {
		to = client.Resource(resource).Namespace(namespace)
	}
	if _, err = to.Create(ctx, o, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// Queue makes a LocalQueue in a namespace, before a ClusterQueue of its own with so many
// CPUs, in which higher priorities preempt lower ones, and lets Kueue look after the
// Jobs of the namespace. It returns the name of both.
func (c *Cluster) Queue(tb testing.TB, namespace, cpus string) string {
	tb.Helper()
	c.WithKueue(tb)
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	c.UnderKueue(tb, namespace)
	name := "queue-" + namespace
	err := c.createKueue(ctx, clusterQueues, "ClusterQueue", "", name, map[string]any{
		"namespaceSelector": map[string]any{},
		"preemption":        map[string]any{"withinClusterQueue": "LowerPriority"},
		"resourceGroups": []any{map[string]any{
			"coveredResources": []any{"cpu", "memory"},
			"flavors": []any{map[string]any{"name": kueueFlavor, "resources": []any{
				map[string]any{"name": "cpu", "nominalQuota": cpus},
				map[string]any{"name": "memory", "nominalQuota": "100Gi"},
			}}},
		}},
	})
	if err == nil {
		err = c.createKueue(ctx, localQueues, "LocalQueue", namespace, name, map[string]any{"clusterQueue": name})
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		client, err := dynamic.NewForConfig(c.RESTConfig())
		if err == nil {
			err = client.Resource(clusterQueues).Delete(context.Background(), name, metav1.DeleteOptions{})
		}
		if err != nil {
			tb.Error(err)
		}
	})
	return name
}

// UnderKueue lets Kueue look after the Jobs of a namespace.
func (c *Cluster) UnderKueue(tb testing.TB, namespace string) {
	tb.Helper()
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:"true"}}}`, kueueLabel)
	if _, err := c.client.CoreV1().Namespaces().Patch(tb.Context(), namespace, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// Workloads are what Kueue has of the Jobs in a namespace.
func (c *Cluster) Workloads(tb testing.TB, namespace string) []unstructured.Unstructured {
	tb.Helper()
	client, err := dynamic.NewForConfig(c.RESTConfig())
	if err != nil {
		tb.Fatal(err)
	}
	list, err := client.Resource(workloads).Namespace(namespace).List(tb.Context(), metav1.ListOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return list.Items
}
