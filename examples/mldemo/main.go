// Command mldemo trains classifiers of handwritten digits with several sizes and
// learning rates, each in a memoized call of its own, takes the one that does best
// on digits that it was not trained with, and tells how it does on others that
// took no part in the choice. Run it twice: the second time all results are there.
//
//	go run ./examples/mldemo
//
// Training runs in processes on this machine. On a Kubernetes cluster, it needs a
// registry to push this program to, and a root that the cluster sees, too; what
// unlocks that comes from a Secret of the cluster:
//
//	go run ./examples/mldemo -on k8s -image ghcr.io/team/mldemo -secret store-credentials
//
// Built with the tag gpu, on Linux, training computes on an NVIDIA GPU where there is
// one, and on the CPU otherwise. On a cluster, -gpu 1 has it land on nodes with one:
//
//	go run -tags gpu ./examples/mldemo -on k8s -gpu 1 -image ghcr.io/team/mldemo -secret store-credentials
//
// Files to copy for a function of your own: internal/cuda is all that speaks to the
// driver, internal/cuda/dl and gpu_load.go load it, kernel has what runs on the GPU,
// and gpu.go calls it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

// The functions. When what one computes changes, so must its version.
var (
	Draw  = mops.Define("examples/mldemo/draw", draw, mops.Version("1"))
	Train = mops.Define("examples/mldemo/train", train, mops.Version("1"))
	Judge = mops.Define("examples/mldemo/judge", judge, mops.Version("1"))
)

func main() {
	mops.Main(func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout) })
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mldemo", flag.ContinueOnError)
	digits := flags.Int("digits", 4000, "`number` of digits to train with; half as many to choose by, and to judge by")
	var p place
	flags.StringVar(&p.on, "on", "subprocess", "`where` training runs: subprocess or k8s")
	flags.StringVar(&p.repository, "image", "", "`repository` to push this program to, for k8s")
	flags.BoolVar(&p.insecure, "insecure", false, "speak plain http to the registry")
	flags.StringVar(&p.secret, "secret", "", "`name` of a Secret whose keys are the environment of workers, for k8s")
	flags.IntVar(&p.gpus, "gpu", 0, "`number` of GPUs for each training, for k8s")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	executor, err := p.executor()
	if err != nil {
		return err
	}
	return demo(ctx, *digits, Train.With(mops.On(executor)), out)
}

// demo draws, trains, chooses and judges.
func demo(ctx context.Context, digits int, train *mops.Func[Lesson, Network], out io.Writer) error {
	begin, outcomes := time.Now(), map[mops.Outcome]int{}
	var sets [3]mops.Shared[Set] // to train with, to choose by, to judge by; stored once for all calls
	for i, n := range []int{digits, digits / 2, digits / 2} {
		set, info, err := Draw.Do(ctx, Drawing{n, uint64(i)})
		if err != nil {
			return err
		}
		sets[i] = mops.Share(set)
		outcomes[info.Outcome]++
	}
	var lessons []Lesson
	for _, hidden := range []int{4, 16, 48} {
		for _, rate := range []float64{0.003, 0.01, 0.03} {
			lessons = append(lessons, Lesson{sets[0], hidden, rate})
		}
	}
	networks, right := make([]Network, len(lessons)), make([]float64, len(lessons))
	for r := range train.Each(ctx, slices.Values(lessons)) {
		if r.Err != nil {
			return r.Err
		}
		share, info, err := Judge.Do(ctx, Trial{r.Out, sets[1]})
		if err != nil {
			return err
		}
		networks[r.Index], right[r.Index] = r.Out, share
		outcomes[r.Info.Outcome]++
		outcomes[info.Outcome]++
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	best := slices.Index(right, slices.Max(right))
	share, info, err := Judge.Do(ctx, Trial{networks[best], sets[2]})
	if err != nil {
		return err
	}
	outcomes[info.Outcome]++
	fmt.Fprintln(out, "hidden units  learning rate    right")
	for i, l := range lessons {
		fmt.Fprintf(out, "%12d  %13g  %5.1f %%\n", l.Hidden, l.Rate, 100*right[i])
	}
	fmt.Fprintf(out, "of %d digits that took no part in this, the best tells %.1f %%; a guess would 10 %%\n", digits/2, 100*share)
	fmt.Fprintf(out, "%d calls: %d hits, %d computed, %d awaited in %v\n", len(sets)+2*len(lessons)+1,
		outcomes[mops.Hit], outcomes[mops.Computed], outcomes[mops.Awaited], time.Since(begin).Round(time.Millisecond))
	return nil
}
