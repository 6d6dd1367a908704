package k8s_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/k8s"
)

var Train = mops.Define("forecast/train", func(ctx context.Context, rate float64) (float64, error) { return 1 / rate, nil })

func ExampleExecutor_With() {
	small := k8s.New(k8s.Image("registry.example.com/forecast:1.4"), k8s.CPU("1"), k8s.Memory("2Gi"))
	big := small.With(k8s.CPU("16"), k8s.Memory("64Gi"), k8s.GPU(1), k8s.Spot())

	onGPU := Train.With(mops.On(big), mops.Retries(2))
	fmt.Println(onGPU.Name(), "runs on", big.Name())
	// Output: forecast/train runs on k8s
}
