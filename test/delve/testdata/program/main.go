// Command program measures the weather of a city.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go"
)

type day struct{ City string }

var measuring = mops.Define("weather/measure", measure)

func measure(ctx context.Context, in day) (float64, error) {
	switch in.City {
	case "Atlantis":
		return 0, fmt.Errorf("there is no station in %s", in.City)
	case "Vineta":
		panic("the station is under water")
	}
	return float64(len(in.City)), nil
}

func main() {
	mops.Main(func(ctx context.Context) error {
		_, info, err := measuring.Do(ctx, day{os.Args[1]})
		fmt.Print(info.URI)
		return err
	})
}
