package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/examples/mldemo/internal/cuda"
)

// Lesson is one way to train.
type Lesson struct {
	Digits mops.Shared[Set]
	Hidden int     // units between pixels and answers
	Rate   float64 // at which weights follow the gradient, at first
}

// train is stochastic gradient descent on the cross entropy, digit by digit
// (Rumelhart, Hinton and Williams, 1986), on a GPU if there is one that works, and on
// the CPU otherwise. It ends when nobody waits for it.
//
// The two differ in the last bits of the weights. For mops they are one result, and
// the one that is written first stays; so nothing may ask more of it than the
// tolerance of trainOnGPU.
func train(ctx context.Context, in Lesson) (Network, error) {
	set, err := in.Digits.Get(ctx)
	if err != nil {
		return Network{}, err
	}
	n, device, err := trainOnGPU(ctx, in, set)
	if err != nil && ctx.Err() == nil {
		if !errors.Is(err, cuda.ErrNoGPU) {
			mops.Logger(ctx).Warn("the GPU failed, so the CPU does it", "err", err)
		}
		device = "CPU: " + err.Error()
		n, err = trainOnCPU(ctx, in, set)
	}
	mops.Record(ctx, "device", device)
	return n, err
}

func trainOnCPU(ctx context.Context, in Lesson, set Set) (Network, error) {
	random, n := begin(in)
	return n, teach(ctx, in, random, len(set.Labels), func(order []int, rate float32) error {
		for _, i := range order {
			n.learn(set.digit(i), set.Labels[i], rate)
		}
		return nil
	})
}

// begin is a network that knows nothing, and the chance by which it learns.
func begin(in Lesson) (*rand.Rand, Network) {
	random := rand.New(rand.NewPCG(uint64(in.Hidden), 2))
	return random, Network{newLayer(random, side*side, in.Hidden), newLayer(random, in.Hidden, 10)}
}

// teach has epoch go through all digits several times, in another order each time.
func teach(ctx context.Context, in Lesson, random *rand.Rand, digits int, epoch func(order []int, rate float32) error) error {
	for i := range 12 {
		if err := epoch(random.Perm(digits), float32(in.Rate)/(1+float32(i)/4)); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Trial puts a network to the test.
type Trial struct {
	Network Network
	Digits  mops.Shared[Set]
}

// judge is the share of digits that a network takes for what they are.
func judge(ctx context.Context, in Trial) (float64, error) {
	set, err := in.Digits.Get(ctx)
	if err != nil {
		return 0, err
	}
	right := 0
	for i, label := range set.Labels {
		_, answer := in.Network.answer(set.digit(i))
		if slices.Index(answer, slices.Max(answer)) == int(label) {
			right++
		}
	}
	return float64(right) / float64(len(set.Labels)), nil
}
