//go:build linux

package mops_test

import (
	"fmt"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

func TestAProcessThatStaysRunsOneCallAfterAnother(t *testing.T) {
	silence(t)
	ctx, _ := onDisk(t, mops.On(subprocess.New(subprocess.Stay())))
	pids := map[int]bool{}
	for i := range 10 {
		v, err := inner.Call(ctx, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		pids[v.PID] = true
	}
	if len(pids) != 1 {
		t.Errorf("10 calls ran in %d processes", len(pids))
	}
}
