package worker

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

func limited(memory int64, from string) Container {
	return Container{Place: executor.Place{Limits: executor.Resources{Memory: memory}}, MemoryFrom: from}
}

// A container tells its worker what it may have, and that stands in its records.
func TestContainerInTheRecord(t *testing.T) {
	for _, c := range []struct {
		limit, from string
		want        Container
	}{
		{"1073741824", "k8s.Memory", limited(1<<30, "k8s.Memory")},
		{"67430629376", "", Container{}}, // without a limit, Kubernetes tells what the node has
		{"lots", "k8s.Memory", limited(0, "k8s.Memory")},
		{"-1", "k8s.Memory", limited(0, "k8s.Memory")},
		{"", "", Container{}},
	} {
		t.Setenv(memoryLimitVariable, c.limit)
		t.Setenv(memoryFromVariable, c.from)
		of := thisContainer()
		if *of != c.want {
			t.Errorf("%+v, want %+v", of, c.want)
		}
		in := task(t, blob.New("mem://test", memblob.New()))
		in.Container = of
		done := in.Run(t.Context())
		var header record.ResultHeader
		if err := json.Unmarshal(done.Result.Header, &header); err != nil {
			t.Fatal(err)
		}
		if run := header.Run; run.MemoryLimit != c.want.Place.Limits.Memory || run.MemoryFrom != c.want.MemoryFrom || run.PeakMemory < 1<<20 {
			t.Errorf("%+v", run)
		}
	}
}

// What a worker asked for stands in its records, too; the calls that a container
// computes side by side have equal parts of it.
func TestWhatAContainerAskedForInTheRecord(t *testing.T) {
	for name, value := range map[string]string{
		cpuRequestVariable: "2500", memoryRequestVariable: "1073741824", gpuRequestVariable: "1", onSpotVariable: "true",
		memoryLimitVariable: "4294967296", memoryFromVariable: "k8s.Memory",
	} {
		t.Setenv(name, value)
	}
	alone := Spec{Container: thisContainer()}
	beside := Spec{Packed: true, Side: 2}
	for _, c := range []struct {
		name string
		spec Spec
		want record.Run
	}{
		{"alone", alone, record.Run{CPUs: 2.5, GPUs: 1, MemoryRequest: 1 << 30, MemoryLimit: 4 << 30, MemoryFrom: "k8s.Memory", Spot: true}},
		{"of two", beside, record.Run{CPUs: 1.25, GPUs: 0.5, MemoryRequest: 2 << 30, Spot: true}},
		{"of an older caller", Spec{Packed: true}, record.Run{CPUs: 2.5, GPUs: 1, MemoryRequest: 4 << 30, Spot: true}},
		{"no container", Spec{}, record.Run{}}, // a subprocess in a pod has the pod's variables
	} {
		in := task(t, blob.New("mem://test", memblob.New()))
		in.Container = c.spec.container()
		done := in.Run(t.Context())
		got, told := done.Run, record.FiguresOf(done.Result.Header)
		got = record.Run{CPUs: got.CPUs, GPUs: got.GPUs, MemoryRequest: got.MemoryRequest, MemoryLimit: got.MemoryLimit, MemoryFrom: got.MemoryFrom, Spot: got.Spot}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if told.Place.Host = ""; told.Place != c.want.Figures().Place {
			t.Errorf("%s: a hit says %+v", c.name, told.Place)
		}
	}
}
