package main

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
)

const side = 14 // width and height of a digit, in pixels

// Drawing asks for a number of digits; another seed gives others.
type Drawing struct {
	Digits int
	Seed   uint64
}

// Set is a set of digits.
type Set struct {
	Pixels []byte // side×side for each digit, 255 is ink
	Labels []byte // which digits they are
}

func (s Set) digit(i int) []float32 {
	pixels := make([]float32, side*side)
	for at := range pixels {
		pixels[at] = float32(s.Pixels[i*side*side+at]) / 255
	}
	return pixels
}

var font = strings.Fields(`
	.###. ..#.. .###. ##### ...#. ##### ..##. ##### .###. .###.
	#...# .##.. #...# ....# ..##. #.... .#... ....# #...# #...#
	#...# ..#.. ....# ...#. .#.#. ####. #.... ...#. #...# #...#
	#...# ..#.. ..##. ..##. #..#. ....# ####. ..#.. .###. .####
	#...# ..#.. .#... ....# ##### ....# #...# .#... #...# ....#
	#...# ..#.. #.... #...# ...#. #...# #...# .#... #...# ...#.
	.###. .###. ##### .###. ...#. .###. .###. .#... .###. .##..`)

// ink is how dark a digit of the font is at a point; it fades between cells.
func ink(digit int, x, y float64) (dark float64) {
	for row := range 7 {
		for column := range 5 {
			if font[10*row+digit][column] == '#' {
				dark += max(0, 1-math.Abs(x-float64(column))) * max(0, 1-math.Abs(y-float64(row)))
			}
		}
	}
	return dark
}

// draw writes digits as by hand: turned, slanted, larger and smaller, not in the
// middle, on paper with spots.
func draw(_ context.Context, in Drawing) (set Set, err error) {
	random := rand.New(rand.NewPCG(in.Seed, 1))
	between := func(from, to float64) float64 { return from + (to-from)*random.Float64() }
	for range in.Digits {
		digit := random.IntN(10)
		sin, cos := math.Sincos(between(-0.35, 0.35))
		slant, wide, high, dark := between(-0.3, 0.3), between(1.2, 2.2), between(1.3, 1.9), between(0.6, 1)
		middleX, middleY := side/2+between(-2, 2), side/2+between(-2, 2)
		for i := range side * side {
			x, y := float64(i%side)+0.5-middleX, float64(i/side)+0.5-middleY
			x, y = (cos*x+sin*y)/wide, (cos*y-sin*x)/high
			value := dark*ink(digit, x+slant*y+2, y+3) + 0.15*random.NormFloat64()
			set.Pixels = append(set.Pixels, byte(255*min(max(value, 0), 1)))
		}
		set.Labels = append(set.Labels, byte(digit))
	}
	return set, nil
}
