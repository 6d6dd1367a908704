package k8s_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/k8s"
)

type Scan struct {
	Images mops.Source
	Slices int
}

func segment(ctx context.Context, scan Scan) (int, error) { return scan.Slices, nil }

var usual = k8s.New(k8s.CPU("1"), k8s.Memory("2Gi"), k8s.Limit(100))

// A pod gets as much memory as its input needs.
func Example_byInput() {
	resources := func(scan Scan) executor.Executor {
		gib := 1 + 3*scan.Images.Size()>>30
		return usual.With(k8s.Memory(fmt.Sprintf("%dGi", gib)))
	}
	segmented := mops.Define("scan/segment", segment, mops.ByInput(resources))
	fmt.Println(segmented.Name())
	// Output: scan/segment
}
