package worker

import (
	"encoding/json"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// A container tells its worker what it may have, and that stands in its records.
func TestContainerInTheRecord(t *testing.T) {
	for _, c := range []struct {
		limit, from string
		want        Container
	}{
		{"1073741824", "k8s.Memory", Container{1 << 30, "k8s.Memory"}},
		{"67430629376", "", Container{}}, // without a limit, Kubernetes tells what the node has
		{"lots", "k8s.Memory", Container{0, "k8s.Memory"}},
		{"-1", "k8s.Memory", Container{-1, "k8s.Memory"}},
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
		if run := header.Run; run.MemoryLimit != max(c.want.MemoryLimit, 0) || run.MemoryFrom != c.want.MemoryFrom || run.PeakMemory < 1<<20 {
			t.Errorf("%+v", run)
		}
	}
}
