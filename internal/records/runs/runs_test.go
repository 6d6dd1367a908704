package runs

import (
	"encoding/json"
	"testing"
)

func TestNext(t *testing.T) {
	first := New("lease", "k8s", "2611231412-ToastOwl")
	next := Next(first)
	if first.Attempt != 1 || next.Attempt != 2 || next.RunID == first.RunID || next.LeaseID != "lease" || next.Executor != "k8s" || next.ProgramRun != "2611231412-ToastOwl" {
		t.Errorf("%+v is followed by %+v", first, next)
	}
}

// Leases and workers' specs contain these names: every release reads them.
func TestNames(t *testing.T) {
	text, err := json.Marshal(ID{LeaseID: "l", RunID: "r", Attempt: 2, Executor: "k8s", ProgramRun: "p"})
	if err != nil || string(text) != `{"lease_id":"l","run_id":"r","attempt":2,"executor":"k8s","program_run":"p"}` {
		t.Errorf("%s, %v", text, err)
	}
}
