package main

import (
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/TrilliantHealth/mops-go/examples/mldemo/internal/cuda"
)

//go:embed kernel/train.ptx
var kernel string

// trainOnGPU is trainOnCPU on the GPU of this machine, if it has one, and says which.
// Each weight is that of the CPU within 0.0001.
func trainOnGPU(ctx context.Context, in Lesson, set Set) (n Network, gpu string, err error) {
	if err := checkForGPU(in, set); err != nil {
		return Network{}, "", err
	}
	err = cuda.With(kernel, func(g *cuda.GPU) error {
		gpu = g.Name
		p := pupil{gpu: g, digits: len(set.Labels), units: in.Hidden}
		random, beginner := begin(in)
		if err := p.enroll(beginner, set); err != nil {
			return err
		}
		if err := teach(ctx, in, random, len(set.Labels), p.epoch); err != nil {
			return err
		}
		n, err = p.network()
		return err
	})
	return n, gpu, err
}

// checkForGPU finds what the kernel cannot do: Go checks indices, a kernel does not.
func checkForGPU(in Lesson, set Set) error {
	switch digits := len(set.Labels); {
	case in.Hidden < 1 || digits == 0:
		return fmt.Errorf("%w for %d hidden units and %d digits", cuda.ErrNoGPU, in.Hidden, digits)
	case len(set.Pixels) < digits*side*side || slices.Max(set.Labels) > 9:
		return fmt.Errorf("%w for labels without pixels, or above 9", cuda.ErrNoGPU)
	}
	return nil
}

// pupil is a network that learns on a GPU.
type pupil struct {
	gpu                                            *cuda.GPU
	digits, units                                  int
	hidden, answer, scratch, pixels, labels, order cuda.Memory
}

// enroll brings what an epoch needs to the GPU.
func (p *pupil) enroll(n Network, set Set) (err error) {
	upload := func(to *cuda.Memory, do func() (cuda.Memory, error)) {
		if err == nil {
			*to, err = do()
		}
	}
	upload(&p.hidden, func() (cuda.Memory, error) { return cuda.Upload(p.gpu, slices.Concat(n.Hidden...)) })
	upload(&p.answer, func() (cuda.Memory, error) { return cuda.Upload(p.gpu, slices.Concat(n.Answer...)) })
	upload(&p.scratch, func() (cuda.Memory, error) { return cuda.Allocate[float32](p.gpu, side*side+2*p.units+2*10) })
	upload(&p.pixels, func() (cuda.Memory, error) { return cuda.Upload(p.gpu, set.Pixels) })
	upload(&p.labels, func() (cuda.Memory, error) { return cuda.Upload(p.gpu, set.Labels) })
	upload(&p.order, func() (cuda.Memory, error) { return cuda.Allocate[int32](p.gpu, p.digits) })
	return err
}

// epoch runs the kernel once. One block of threads is enough for so small a network.
func (p *pupil) epoch(order []int, rate float32) error {
	indices := make([]int32, len(order))
	for i, digit := range order {
		indices[i] = int32(digit)
	}
	if err := cuda.Put(p.gpu, p.order, indices); err != nil {
		return err
	}
	return p.gpu.Run("epoch", 256, p.hidden, p.answer, p.scratch, p.pixels, p.labels, p.order, int32(p.digits), int32(p.units), rate)
}

// network brings back what was learned.
func (p *pupil) network() (n Network, err error) {
	hidden, answer := make([]float32, p.units*(side*side+1)), make([]float32, 10*(p.units+1))
	if err := cuda.Get(p.gpu, hidden, p.hidden); err != nil {
		return Network{}, err
	}
	if err := cuda.Get(p.gpu, answer, p.answer); err != nil {
		return Network{}, err
	}
	return Network{slices.Collect(slices.Chunk(hidden, side*side+1)), slices.Collect(slices.Chunk(answer, p.units+1))}, nil
}
