package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Network is two layers of units.
type Network struct{ Hidden, Answer Layer }

// Layer has for each unit its weights on what comes in, and a bias at the end.
type Layer [][]float32

// newLayer has weights that keep what passes about as large as it was (He et al., 2015).
func newLayer(random *rand.Rand, inputs, units int) Layer {
	l := make(Layer, units)
	for unit := range l {
		l[unit] = make([]float32, inputs+1)
		for i := range inputs {
			l[unit][i] = float32(random.NormFloat64() * math.Sqrt(2/float64(inputs)))
		}
	}
	return l
}

func (l Layer) values(in []float32) []float32 {
	out := make([]float32, len(l))
	for unit, weights := range l {
		out[unit] = weights[len(in)]
		for i, v := range in {
			out[unit] += weights[i] * v
		}
	}
	return out
}

// learn moves weights against what was wrong, and returns how wrong the input was.
func (l Layer) learn(in, wrong []float32, rate float32) (before []float32) {
	before = make([]float32, len(in))
	for unit, weights := range l {
		for i, v := range in {
			before[i] += wrong[unit] * weights[i]
			weights[i] -= rate * wrong[unit] * v
		}
		weights[len(in)] -= rate * wrong[unit]
	}
	return before
}

// answer is what the hidden units give, never below 0 (ReLU), and how likely each
// digit is (softmax).
func (n Network) answer(pixels []float32) (hidden, likely []float32) {
	hidden = n.Hidden.values(pixels)
	for i, v := range hidden {
		hidden[i] = max(v, 0)
	}
	likely = n.Answer.values(hidden)
	largest, sum := slices.Max(likely), float32(0)
	for i, v := range likely {
		likely[i] = float32(math.Exp(float64(v - largest)))
		sum += likely[i]
	}
	for i := range likely {
		likely[i] /= sum
	}
	return hidden, likely
}

// learn moves all weights a little towards the right answer.
func (n Network) learn(pixels []float32, label byte, rate float32) {
	hidden, wrong := n.answer(pixels)
	wrong[label]--
	before := n.Answer.learn(hidden, wrong, rate)
	for i, v := range hidden {
		if v == 0 {
			before[i] = 0
		}
	}
	n.Hidden.learn(pixels, before, rate)
}
