package programs

import (
	"reflect"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// What runs asked for counts for as long as they ran, at the price of their
// executor and of spot capacity.
func TestCost(t *testing.T) {
	gpu := ResourcesOf(2*time.Hour, time.Hour, 1<<30, executor.Place{
		Requests: executor.Resources{CPU: 4, Memory: 8 << 30, GPU: 1}, Limits: executor.Resources{Memory: 16 << 30},
	})
	unasked := ResourcesOf(time.Hour, 3*time.Hour, 1<<30, executor.Place{Host: "node-1"})
	functions := []Function{
		{Name: "train@1", Used: Charge(Charge(nil, "k8s", true, gpu), "k8s", false, gpu), Saved: Charge(nil, "k8s", true, gpu)},
		{Name: "small@0", Used: Charge(nil, "subprocess", false, unasked), Saved: Charge(nil, "inproc", false, unasked)},
		{Name: "never@0"},
	}
	prices := Prices{Currency: "EUR", By: map[string]Price{"k8s": {CPU: 0.1, Memory: 0.01, GPU: 2, Spot: 0.5}, "inproc": {CPU: 1, Memory: 1, GPU: 1}}}
	for _, c := range []struct {
		prices Prices
		want   [][]string
	}{
		{prices, [][]string{
			{"function", "CPU-h", "GiB-h", "GPU-h", "EUR", "saved CPU-h", "saved GiB-h", "saved GPU-h", "saved EUR"},
			{"train@1", "16.0", "64.0", "4.00", "7.68", "8.00", "32.0", "2.00", "2.56"},
			{"small@0", "3.00", "1.00", "", "", "1.00", "", "", "1.00"},
			{"all", "19.0", "65.0", "4.00", "7.68", "9.00", "32.0", "2.00", "3.56"},
		}},
		{Prices{}, [][]string{
			{"function", "CPU-h", "GiB-h", "GPU-h", "saved CPU-h", "saved GiB-h", "saved GPU-h"},
			{"train@1", "16.0", "64.0", "4.00", "8.00", "32.0", "2.00"},
			{"small@0", "3.00", "1.00", "", "1.00", "", ""},
			{"all", "19.0", "65.0", "4.00", "9.00", "32.0", "2.00"},
		}},
	} {
		if got := c.prices.Table(functions); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := prices.Table(functions[2:]); got != nil {
		t.Errorf("of nothing: %q", got)
	}
	if c := prices.Of(functions[1].Used); !c.Unpriced || !c.Plus(Cost{}).Unpriced {
		t.Errorf("an executor without a price: %+v", c)
	}
	if c := (Prices{}).Of(functions[1].Used); c.Unpriced || (Prices{}).Unit() != "" {
		t.Errorf("no prices at all: %+v", c)
	}
	want := Cost{Runs: 5, CPUHours: 40, CPUHoursUsed: 5, MemoryGiBHours: 160, GPUHours: 10, Money: 19.2}
	if c := prices.Of(functions[0].Used).Times(2.5); c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
}
