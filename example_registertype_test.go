package mops_test

import (
	"context"
	"fmt"
	"math"

	"github.com/TrilliantHealth/mops-go"
)

type Shape interface{ Area() float64 }

type Circle struct{ Radius float64 }
type Rectangle struct{ Width, Height float64 }

func (c Circle) Area() float64    { return math.Pi * c.Radius * c.Radius }
func (r Rectangle) Area() float64 { return r.Width * r.Height }

func init() {
	mops.RegisterType[Circle]()
	mops.RegisterType[Rectangle]()
}

var Areas = mops.Define("example/areas", func(ctx context.Context, shapes []Shape) (sum float64, err error) {
	for _, s := range shapes {
		sum += s.Area()
	}
	return sum, nil
})

// A type must be registered to stand in a field of an interface type.
func ExampleRegisterType() {
	ctx, end := inMemory()
	defer end()
	sum, err := Areas.Call(ctx, []Shape{Circle{1}, Rectangle{2, 3}})
	fmt.Printf("%.2f %v\n", sum, err)
	// Output: 9.14 <nil>
}
