package otelmops_test

import (
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/otelmops"
)

// Where events are missed, the calls under way are given up, each for its own function.
func TestMissedEvents(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	observe := otelmops.New(false, otelmops.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))).Observe
	active := func() map[string]int64 {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		found := map[string]int64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				if m.Name != "mops.call.active" && m.Name != "mops.lease.active" {
					continue
				}
				for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
					function, _ := point.Attributes.Value("mops.function")
					found[m.Name+" "+function.AsString()] += point.Value
				}
			}
		}
		return found
	}
	held := executor.ID{LeaseID: "lease"}
	observe(mops.Event{Kind: mops.AttemptStarted, Call: 1, Function: "a@0", ID: held})
	if got := active(); got["mops.call.active a@0"] != 1 || got["mops.lease.active a@0"] != 1 {
		t.Errorf("%v", got)
	}
	observe(mops.Event{Kind: mops.AttemptStarted, Call: 2, Function: "b@0", ID: held, Missed: 5})
	got := active()
	for name, want := range map[string]int64{"mops.call.active a@0": 0, "mops.lease.active a@0": 0, "mops.call.active b@0": 1, "mops.lease.active b@0": 1} {
		if got[name] != want {
			t.Errorf("%s is %d, want %d", name, got[name], want)
		}
	}
}
