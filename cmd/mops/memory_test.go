package main

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// People see how much memory a run had, how much it was allowed, and why.
func TestInspectMemory(t *testing.T) {
	l := newTool(t)
	store, err := blob.Open(t.Context(), l.root)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key := memokey.Parts{Name: "scan/segment", Version: "1", In: "in", Out: "out"}.Key()
	place := memo.Place{Store: store, Path: memokey.Path("default", "scan/segment", "1", key), Key: key}
	for id, run := range map[string]record.Run{
		"2611231412-SkirtBus": {Outcome: "exec_error", Reason: executor.OOMKilled, MemoryLimit: 1 << 30, MemoryFrom: "95% of 30 earlier runs"},
		"2611231413-CatDog":   {Outcome: "ok", PeakMemory: 1200 << 20, MemoryLimit: 2 << 30, MemoryFrom: "an attempt ran out of 1Gi", WallSeconds: 2},
		"2611231411-OldRun":   {Outcome: "ok", PeakMemory: 300 << 20, WallSeconds: 2},
	} {
		if err := place.PutRun(t.Context(), record.RunHeader{Head: record.Head{MemoKey: key.String(), RunID: id}, Run: run}); err != nil {
			t.Fatal(err)
		}
	}
	l.expect(0, []string{
		"1.3 GB of 2.1 GB", "? of 1.1 GB", "  314.6 MB\n",
		"\nMemory limit of run 2611231413-CatDog\n  2Gi: an attempt ran out of 1Gi\n",
	}, "inspect", place.URI())
}
