package k8s

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
)

// says is what a config file says below [k8s].
func says(t *testing.T, lines ...string) map[string][]string {
	t.Helper()
	file, err := config.Parse("mops.toml", []byte("[k8s]\n"+strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return file.Executors["k8s"]
}

// configured is an executor under a config file and variables.
func configured(t *testing.T, file, environ map[string][]string, options ...Option) *Executor {
	t.Helper()
	return New(options...).Configured(executor.Settings{File: file, Environ: environ}).(*Executor)
}

// full has each setting.
const full = `
kubeconfig = "/etc/team"
context = "team"
namespace = "weather"
create_namespace = false
name_prefix = "night"
image = "forecast:1.4"
platforms = ["linux/amd64", "linux/arm64"]
registry = "registry.example.com"
pull_policy = "Never"
pull_secrets = ["registry"]
cpu = "2"
cpu_limit = "4"
memory = "4Gi"
memory_request = "2Gi"
memory_max = "8Gi"
gpu = 1
env_from_secrets = ["more"]
env_from_config_maps = ["much-more"]
service_account = "worker"
run_as = "1000:2000"
fs_group = 3000
workload_identity_account = "azure"
workload_identity_namespaces = ["weather"]
aad_pod_identity = "reader"
tolerations = ["sku=large:NoExecute", "odd:PreferNoSchedule"]
spot = true
only_spot = true
dedicated = ["forecast"]
ttl = "7d"
deadline = "90m"
stop_grace = "20s"
start_grace = "5m"
room_grace = "forever"
silence_grace = "3m"
retries = 2
disruptions = 3
priority_class = "low"
queue = "batch"
limit = 40
pack = "90s"
side_by_side = 3
logs = 0.5
log_streams = 7

[k8s.gpu_resources]
"amd.com/gpu" = 2

[k8s.resources]
ephemeral-storage = "10Gi"

[k8s.env]
LEVEL = "debug=1"

[k8s.secret_env]
TOKEN = "tokens/api"

[k8s.config_map_env]
REGION = "places/region"

[k8s.claims]
"/data" = "shared"

[k8s.host_paths]
"/scratch" = "/mnt/ssd"

[k8s.roots]
"file:///data" = "file:///mnt/data"

[k8s.node_selector]
zone = "a"

[k8s.node_in]
pool = ["a100", "h100"]

[k8s.labels]
team = "weather"

[k8s.annotations]
"example.com/cost-centre" = "42"
`

// A team writes everything into the file, and programs say nothing.
func TestFullFile(t *testing.T) {
	t.Setenv(kube.UserVariable, `ANALYTICS\Ada`)
	file := says(t, full)
	for _, p := range presets {
		if file[p.key] == nil {
			t.Errorf("the file lacks %s", p.key)
		}
	}
	if len(file) != len(presets) {
		t.Errorf("the file can say %d settings, and %d are heeded", len(file), len(presets))
	}
	e := configured(t, file, nil)
	s := e.settings
	if s.target != (kube.Target{Kubeconfig: "/etc/team", Context: "team", Namespace: "weather"}) || s.createNamespace ||
		e.Limit() != packWindow || e.Packing() != (executor.Packing{Work: 90 * time.Second, Side: 3, Most: 40, Kind: s.kind()}) || s.startGrace != 5*time.Minute || s.roomGrace >= 0 || s.silenceGrace != 3*time.Minute || s.disruptions != 3 || s.logShare != 0.5 || s.logStreams != 7 ||
		e.RootFor("file:///data/a") != "file:///mnt/data/a" || s.mostMemory() != 8<<30 || s.azure.or(s.usualAzure).binding != "reader" {
		t.Errorf("%+v", s)
	}
	p, err := e.plan(t.Context(), call())
	if err != nil {
		t.Fatal(err)
	}
	got, err := yaml.Marshal(p.job)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "config.yaml"), string(got))
}

func TestWhichSettingWins(t *testing.T) {
	file := says(t, `queue = "file"`, `priority_class = "file"`, `retries = 1`, `memory = "1Gi"`, `tolerations = ["file:NoSchedule"]`, `workload_identity_account = "file"`)
	environ := map[string][]string{"priority_class": {"variable"}, "tolerations": {"variable:NoSchedule"}}
	e := configured(t, file, environ, Queue("program"), PriorityClass("program"), Tolerate("program", "", corev1.TaintEffectNoSchedule)).With(Memory("2Gi"))
	s := e.settings
	var taints []string
	for _, toleration := range s.tolerations {
		taints = append(taints, toleration.Key)
	}
	if s.queue != "program" || s.priorityClass != "variable" || s.retries != 1 || s.memoryAfter(nil).String() != "2Gi" ||
		!slices.Equal(taints, []string{"file", "program", "variable"}) || s.account("a") != "file" {
		t.Errorf("%v %+v", taints, s)
	}
	if e := New(Queue("program")); e.Configured(executor.Settings{}) != e {
		t.Error("another executor, though nobody says anything")
	}

	// A launched program is no call: it is tried once, and its flags have precedence.
	settings := executor.Settings{File: file, Environ: environ}
	job, err := Program{Name: "tool", Settings: settings}.Job(t.Context(), Image("tool:1"), Namespace("ns"), PriorityClass("flag"))
	if err != nil {
		t.Fatal(err)
	}
	if *job.Spec.BackoffLimit != 0 || job.Spec.Template.Spec.PriorityClassName != "flag" || job.Labels["kueue.x-k8s.io/queue-name"] != "file" {
		t.Errorf("%+v", job)
	}
}

// In a pod the program is in its cluster, and knows its image.
func TestFileInAPod(t *testing.T) {
	t.Setenv("MOPS_K8S_POD", "pod")
	t.Setenv(kube.ImageVariable, "own:1")
	file := says(t, `namespace = "file"`, `context = "file"`, `kubeconfig = "file"`, `image = "file:1"`, `queue = "file"`)
	s := configured(t, file, map[string][]string{"namespace": {"own"}}, Namespace("program")).settings
	if image, err := s.findImage(t.Context()); s.target != (kube.Target{Namespace: "program"}) || s.queue != "file" || image.reference != "own:1" || err != nil {
		t.Errorf("%+v, %s, %v", s, image, err)
	}
	t.Setenv("MOPS_K8S_POD", "")
	t.Setenv(kube.ImageVariable, "")
	s = configured(t, file, nil).settings
	if image, err := s.findImage(t.Context()); s.target.Context != "file" || image.reference != "file:1" || err != nil {
		t.Errorf("%+v, %s, %v", s, image, err)
	}
}

// The file says the platforms of images of which nothing else says them.
func TestPlatformsOfTheFile(t *testing.T) {
	file := says(t, `image = "file:1"`, `platforms = ["linux/arm64"]`)
	for _, test := range []struct {
		want   string
		option Option
	}{
		{"linux/arm64", nil}, {"linux/arm64", Image("named:1")},
		{"linux/amd64", madeFor("linux/amd64")}, {"linux/s390x", Platforms("linux/s390x")},
	} {
		s := configured(t, file, nil, test.option).settings
		if image, err := s.findImage(t.Context()); err != nil || !slices.Equal(image.platforms, []string{test.want}) {
			t.Errorf("%+v, %v; want %s", image, err, test.want)
		}
	}
}

// notConfigured are the options that no file sets, and why.
var notConfigured = map[string]string{
	"Options":      "several options",
	"Logger":       "made by a program",
	"Orchestrator": "for one program",
	"LargeCPU":     "dedicated says it",
	"Volume":       "a structure; claims and host_paths say most",
	"NodeAffinity": "a structure; node_selector and node_in say most",
}

// otherKeys are the keys of options that are not named after them.
var otherKeys = map[string]string{
	"WorkloadIdentity": "workload_identity_account", "PodIdentity": "aad_pod_identity",
	"GPU": "gpu", "GPUResource": "gpu_resources", "CPU": "cpu", "CPULimit": "cpu_limit", "FSGroup": "fs_group", "TTL": "ttl", "Tolerate": "tolerations",
}

// Whoever adds an option says how a team sets it for all programs, or why not.
func TestEveryOptionIsASetting(t *testing.T) {
	keys := map[string]bool{}
	for _, p := range presets {
		keys[p.key] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var functions []ast.Decl
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		functions = append(functions, file.Decls...)
	}
	seen := 0
	for _, n := range functions {
		f, ok := n.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil {
			continue
		}
		result, ok := f.Type.Results.List[0].Type.(*ast.Ident)
		takesFunction := slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool { _, is := p.Type.(*ast.FuncType); return is })
		if !ok || result.Name != "Option" || takesFunction {
			continue
		}
		seen++
		name := f.Name.Name
		key := otherKeys[name]
		if key == "" {
			key = snake(name)
		}
		if has := keys[key] || keys[key+"s"]; has == (notConfigured[name] != "") {
			t.Errorf("the option %s has the key %s: %v; it needs one in presets here and in package config, or a reason in notConfigured", name, key, has)
		}
	}
	if seen < 40 {
		t.Errorf("only %d options were found", seen)
	}
}

// snake is a name as a key.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

func TestLabels(t *testing.T) {
	t.Setenv(kube.UserVariable, "Ada Łęcka / "+strings.Repeat("x", 80))
	inv := call()
	inv.Pipeline = "nightly"
	labels := func(options ...Option) map[string]string {
		p, err := New(append(options, Image("a"), Namespace("ns"))...).plan(t.Context(), inv)
		if err != nil {
			t.Fatal(err)
		}
		return p.job.Spec.Template.Labels
	}
	if l := labels(); l[kube.PipelineLabel] != "nightly" || l[kube.ProgramLabel] != "k8s.test" || l[kube.UserLabel] != strings.Repeat("x", 63) {
		t.Errorf("%v", l)
	}
	own := labels(Label(kube.UserLabel, "team"), Label("cost-centre", "42"), Label(kube.FunctionAnnotation, "other"))
	if own[kube.UserLabel] != "team" || own["cost-centre"] != "42" || own[kube.FunctionAnnotation] != "weather.Forecast" {
		t.Errorf("%v", own)
	}
	for text, want := range map[string]string{`ANALYTICS\ada`: "ANALYTICS.ada", "ada@example.com": "ada.example.com", "Łukasz": "ukasz", "…": "", "": "", "a-": "a"} {
		if got := labelValue(text); got != want {
			t.Errorf("%q as a label is %q, want %q", text, got, want)
		}
	}
}
