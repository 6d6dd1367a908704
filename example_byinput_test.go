package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

type Sky struct{ Pictures int }

var (
	here  = inproc.New()
	apart = subprocess.New(subprocess.Limit(1), subprocess.Env("GOMEMLIMIT=8GiB"))

	Stitch = mops.Define("example/stitch", stitch, mops.ByInput(func(sky Sky) executor.Executor {
		if sky.Pictures > 1000 {
			return apart
		}
		return here
	}))
)

func stitch(ctx context.Context, sky Sky) (int, error) { return sky.Pictures * 4, nil }

// ByInput lets the input say where a call runs: large ones get a process of their
// own.
func ExampleByInput() {
	ctx, end := inFolder()
	defer end()
	fmt.Println(Stitch.All(ctx, []Sky{{3}, {2000}}))
	// Output: [12 8000] <nil>
}
