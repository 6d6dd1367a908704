package k8s_test

import (
	"context"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// Function nightly runs as a Job and calls Forecast, which runs as another one.
func Example_nested() {
	image := func(context.Context) (string, []string, error) { return "registry.example.com/forecast:1.4", nil, nil }
	inner := k8s.New(k8s.CPU("4"), k8s.Memory("8Gi"))
	outer := k8s.New(k8s.ImageFrom(image), k8s.ServiceAccount("mops"), k8s.CPU("100m"), k8s.Limit(20))

	forecast := mops.Define("weather/forecast", func(ctx context.Context, city string) (string, error) {
		return "sun", nil
	}, mops.On(inner))
	_ = mops.Define("weather/nightly", func(ctx context.Context, city string) (string, error) {
		return forecast.Call(ctx, city)
	}, mops.On(outer))
}
