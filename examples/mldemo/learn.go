package main

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/TrilliantHealth/mops-go"
)

// Lesson is one way to train.
type Lesson struct {
	Digits mops.Shared[Set]
	Hidden int     // units between pixels and answers
	Rate   float64 // at which weights follow the gradient, at first
}

// train is stochastic gradient descent on the cross entropy, digit by digit
// (Rumelhart, Hinton and Williams, 1986). It ends when nobody waits for it.
func train(ctx context.Context, in Lesson) (Network, error) {
	set, err := in.Digits.Get(ctx)
	if err != nil {
		return Network{}, err
	}
	random := rand.New(rand.NewPCG(uint64(in.Hidden), 2))
	n := Network{newLayer(random, side*side, in.Hidden), newLayer(random, in.Hidden, 10)}
	for epoch := range 12 {
		rate := float32(in.Rate) / (1 + float32(epoch)/4)
		for _, i := range random.Perm(len(set.Labels)) {
			n.learn(set.digit(i), set.Labels[i], rate)
		}
		if err := context.Cause(ctx); err != nil {
			return Network{}, err
		}
	}
	return n, nil
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
