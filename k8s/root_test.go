package k8s

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
)

func TestARootThatPodsDoNotSee(t *testing.T) {
	for _, c := range []struct {
		uri     string
		options []Option
		refused bool
	}{
		{"s3://bucket/mops1/p/f@0/k", nil, false},
		{"file:///data/mops1/p/f@0/k", nil, true},
		{"file:///tmp/data/mops1/p/f@0/k", nil, true}, // the scratch volume is the pod's own
		{"file:///data/mops1/p/f@0/k", []Option{Claim("/data", "shared")}, false},
		{"file:///da%20ta/x/mops1/p/f@0/k", []Option{Claim("/da ta", "shared")}, false},
		{"file:///database/mops1/p/f@0/k", []Option{Claim("/data", "shared")}, true},
		{"file:///data/mops1/p/f@0/k", []Option{Claim("/mnt/data", "shared"), Root("file:///data", "file:///mnt/data")}, false},
		{"file:///data/mops1/p/f@0/k", []Option{Claim("/data", "shared"), Root("file:///data", "file:///mnt/data")}, true},
	} {
		e := New(append(c.options, Image("i"), Namespace("n"))...)
		_, err := e.plan(t.Context(), executor.Invocation{Function: "f@0", MemoURI: c.uri})
		if (err != nil) != c.refused || c.refused && !strings.Contains(err.Error(), "k8s.Claim") {
			t.Errorf("%s: %v, refused should be %t", c.uri, err, c.refused)
		}
	}
}
