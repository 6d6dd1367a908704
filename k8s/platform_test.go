package k8s

import (
	"context"
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// madeFor is the image of a function that knows its platforms.
func madeFor(platforms ...string) Option {
	return ImageFrom(func(context.Context) (string, []string, error) { return "made:1", platforms, nil })
}

// Pods run where their image does, unless the user said where it runs.
func TestNodesOfAnImage(t *testing.T) {
	const amd64, arm64, arch = "linux/amd64", "linux/arm64", corev1.LabelArchStable
	in := func(key string, values ...string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}}}
	}
	for _, test := range []struct {
		name           string
		own            string // MOPS_K8S_IMAGE_PLATFORMS
		option         Option
		selector, term string // as JSON; the terms of the affinity
	}{
		{"named", "", Image("a"), `{"kubernetes.io/os":"linux"}`, ``},
		{"named, and said", "", Options(Image("a"), Platforms("linux/arm/v7")), `{"kubernetes.io/arch":"arm","kubernetes.io/os":"linux"}`, ``},
		{"one", "", madeFor(amd64), `{"kubernetes.io/arch":"amd64","kubernetes.io/os":"linux"}`, ``},
		{"two", "", madeFor(arm64, amd64), `{"kubernetes.io/os":"linux"}`,
			`[{"matchExpressions":[{"key":"kubernetes.io/arch","operator":"In","values":["amd64","arm64"]}]}]`},
		{"said otherwise", "", Options(Platforms(arm64), madeFor(amd64)), `{"kubernetes.io/arch":"arm64","kubernetes.io/os":"linux"}`, ``},
		{"its own", amd64, madeFor(arm64), `{"kubernetes.io/arch":"amd64","kubernetes.io/os":"linux"}`, ``},
		{"a selector", "", Options(madeFor(amd64), NodeSelector(arch, "arm64")), `{"kubernetes.io/arch":"arm64","kubernetes.io/os":"linux"}`, ``},
		{"a need", "", Options(madeFor(arm64, amd64), NodeIn(arch, "s390x"), NodeIn(corev1.LabelOSStable, "linux", "other")), `null`,
			`[{"matchExpressions":[{"key":"kubernetes.io/arch","operator":"In","values":["s390x"]},{"key":"kubernetes.io/os","operator":"In","values":["linux","other"]}]}]`},
		{"terms, one of which says it", "", Options(madeFor(amd64), NodeAffinity(in("pool", "a"), in(arch, "arm64"))), `{"kubernetes.io/os":"linux"}`,
			`[{"matchExpressions":[{"key":"pool","operator":"In","values":["a"]},{"key":"kubernetes.io/arch","operator":"In","values":["amd64"]}]},` +
				`{"matchExpressions":[{"key":"kubernetes.io/arch","operator":"In","values":["arm64"]}]}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(kube.PlatformsVariable, test.own)
			t.Setenv(kube.ImageVariable, "")
			if test.own != "" {
				t.Setenv(kube.ImageVariable, "own:1")
			}
			e := New(Namespace("ns"), test.option)
			for range 2 { // no Job changes what the next one gets
				p, err := e.plan(t.Context(), call())
				if err != nil {
					t.Fatal(err)
				}
				spec := p.job.Spec.Template.Spec
				terms := ""
				if spec.Affinity != nil {
					terms = asJSON(t, spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms)
				}
				if selector := asJSON(t, spec.NodeSelector); selector != test.selector || terms != test.term {
					t.Errorf("pods run on\n%s %s, want\n%s %s", selector, terms, test.selector, test.term)
				}
			}
		})
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A pod tells what it runs the platforms of its image.
func TestPodKnowsItsPlatforms(t *testing.T) {
	job, err := Program{Name: "night"}.Job(t.Context(), madeFor("linux/amd64", "linux/arm64"), Namespace("ns"), Orchestrator("mops"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range job.Spec.Template.Spec.Containers[0].Env {
		if v.Name == kube.PlatformsVariable && v.Value == "linux/amd64 linux/arm64" {
			return
		}
	}
	t.Errorf("its environment is %v", job.Spec.Template.Spec.Containers[0].Env)
}
