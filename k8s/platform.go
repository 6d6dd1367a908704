package k8s

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Platforms says which platforms the image is for: "linux/amd64", "linux/arm64".
// Pods run on nodes of these only. Without it they are those that the function of
// [ImageFrom] returns, such as image.FromSelf and image.Existing; if they are not
// known, as with [Image], pods run on nodes with Linux, of any architecture. What
// [NodeSelector], [NodeIn] and [NodeAffinity] say of kubernetes.io/os and
// kubernetes.io/arch counts in place of it. The config file's platforms are those of
// images of which nothing else says them.
func Platforms(platforms ...string) Option {
	return func(s *settings) {
		if _, err := architectures(platforms); err != nil {
			s.refuse("k8s.Platforms: %w", err)
		}
		s.platforms = slices.Clone(platforms)
	}
}

// architectures are those of platforms, by the names that nodes have for them.
func architectures(platforms []string) (all []string, err error) {
	for _, platform := range platforms {
		parts := strings.Split(platform, "/") // the third is a variant, of which nodes say nothing
		if len(parts) < 2 || len(parts) > 3 || parts[0] != "linux" || parts[1] == "" {
			return nil, fmt.Errorf("%q is no platform of workers; it has to be like linux/amd64 or linux/arm64", platform)
		}
		all = append(all, parts[1])
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// nodes are those that a pod may run on: with each label of the selector, and by
// each of the terms of the affinity with all needs. They run the image, unless the
// user said which ones run it.
func (s *settings) nodes(platforms []string) (map[string]string, *corev1.Affinity) {
	selector, terms := maps.Clone(s.nodeSelector), slices.Clone(s.nodeTerms)
	if len(terms) == 0 {
		terms = []corev1.NodeSelectorTerm{{}}
	}
	for i := range terms {
		terms[i].MatchExpressions = slices.Concat(terms[i].MatchExpressions, s.nodeNeeds)
	}
	archs, _ := architectures(platforms) // findImage has checked them
	for _, need := range []corev1.NodeSelectorRequirement{
		{Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
		{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: archs},
	} {
		says := func(t corev1.NodeSelectorTerm) bool {
			return slices.ContainsFunc(t.MatchExpressions, func(r corev1.NodeSelectorRequirement) bool { return r.Key == need.Key })
		}
		_, selected := selector[need.Key]
		switch {
		case selected || len(need.Values) == 0:
		case len(need.Values) == 1 && !slices.ContainsFunc(terms, says):
			set(&selector, need.Key, need.Values[0])
		default:
			for i := range terms {
				if !says(terms[i]) {
					terms[i].MatchExpressions = append(terms[i].MatchExpressions, need)
				}
			}
		}
	}
	if len(s.nodeTerms) == 0 && len(terms[0].MatchExpressions) == 0 {
		return selector, nil
	}
	return selector, &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
}
