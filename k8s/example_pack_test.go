package k8s_test

import (
	"context"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/k8s"
)

var score = mops.Define("forecast/score", func(_ context.Context, day int) (float64, error) {
	return float64(day) / 2, nil
})

// Thousands of short calls share Jobs.
func ExamplePack() {
	at := k8s.New(k8s.Image("registry.example.com/forecast:1.4"),
		k8s.Pack(time.Minute), // about so long is a pod to be busy
		k8s.CPU("4"),          // so four calls run side by side in a pod, unless k8s.SideBySide says how many
		k8s.Memory("8Gi"),     // for all four of them
		k8s.Limit(200))        // and at most 200 side by side altogether
	scores := func(ctx context.Context, days []int) ([]float64, error) {
		return score.With(mops.On(at)).All(ctx, days)
	}
	_ = scores // mops.Main calls it

	p := at.Packing()
	fmt.Println(p.Work, p.Side, p.Most)
	// Output: 1m0s 4 200
}
