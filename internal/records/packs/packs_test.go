package packs_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

var update = flag.Bool("update", false, "write the golden files of formats that have none yet")

const id = "c5p2wwxlnbe4bnzvyhqqe4m3ra"

func newPack() packs.Pack {
	return packs.Pack{Store: blob.New("mem://packs", memblob.New()), ID: id}
}

func calls(n int) (all []packs.Call) {
	for i := range n {
		all = append(all, packs.Call{
			Function: "forecast@2", MemoURI: fmt.Sprint("mem://packs/mops1/default/forecast@2/a-b-c.", i),
			ID:  runs.ID{LeaseID: fmt.Sprint("lease", i), RunID: "2611291712-SkirtBus", Attempt: 1, Executor: "k8s"},
			Env: []string{`MOPS_WORKER={"root":"mem://packs"}`},
		})
	}
	return all
}

var entries = []packs.Entry{
	{Call: 7, Began: true},
	{Call: 7, Ended: &packs.Ended{Code: 0, WallSeconds: 1.5, CPUSeconds: 1.25, PeakMemory: 1 << 20, Printed: true}},
	{Call: 8, Ended: &packs.Ended{Code: -1, Reason: "OOMKilled", Message: "it ran out of memory", Tail: "last words\n"}},
}

// A worker is of the same image as its orchestrator, as a rule. An image that a
// team has pinned may be of another release all the same.
func TestFormatIsFrozen(t *testing.T) {
	for name, golden := range map[string]struct {
		key   string
		write func(p packs.Pack) error
		read  func(p packs.Pack) error
	}{
		"list": {
			"mops1-packs/" + id + "/list/000001",
			func(p packs.Pack) error { return p.PutList(t.Context(), calls(2), packs.Shape{Workers: 3}) },
			func(p packs.Pack) error {
				got, shape, err := p.Part(t.Context(), 0)
				if err == nil && (!reflect.DeepEqual(got, calls(2)) || shape != packs.Shape{Calls: 2, Workers: 3}) {
					err = fmt.Errorf("%+v, %+v", got, shape)
				}
				return err
			},
		},
		"ledger": {
			"mops1-packs/" + id + "/ledger/4/000009",
			func(p packs.Pack) error { _, err := p.Append(t.Context(), 4, 9, entries); return err },
			func(p packs.Pack) error {
				got, found, err := p.Page(t.Context(), 4, 9)
				if err == nil && (!found || !reflect.DeepEqual(got, entries)) {
					err = fmt.Errorf("%+v, %t", got, found)
				}
				return err
			},
		},
		"list of later": {
			"mops1-packs/" + id + "/list/000001",
			func(p packs.Pack) error {
				return p.PutList(t.Context(), calls(2), packs.Shape{Workers: 3, First: "first", Handle: "job"})
			},
			func(p packs.Pack) error {
				_, shape, err := p.Part(t.Context(), 0)
				if err == nil && shape != (packs.Shape{Calls: 2, Workers: 3, First: "first", Handle: "job"}) {
					err = fmt.Errorf("%+v", shape)
				}
				return err
			},
		},
		"next": {
			"mops1-packs/" + id + "/next/000002",
			func(p packs.Pack) error { return p.PutNext(t.Context(), 2, "another") },
			func(p packs.Pack) error {
				got, found, err := p.Next(t.Context(), 2)
				if err == nil && (!found || got != "another") {
					err = fmt.Errorf("%q, %t", got, found)
				}
				return err
			},
		},
		"end": {
			"mops1-packs/" + id + "/next/000001",
			func(p packs.Pack) error { return p.PutNext(t.Context(), 1, "") },
			func(p packs.Pack) error {
				got, found, err := p.Next(t.Context(), 1)
				if err == nil && (!found || got != "") {
					err = fmt.Errorf("%q, %t", got, found)
				}
				return err
			},
		},
		"given-up": {
			"mops1-packs/" + id + "/given-up",
			func(p packs.Pack) error { return p.GiveUp(t.Context(), []int{12, 3}) },
			func(p packs.Pack) error {
				got, err := p.GivenUp(t.Context())
				if err == nil && !reflect.DeepEqual(got, []int{3, 12}) {
					err = fmt.Errorf("%v", got)
				}
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-"))
			written := newPack()
			if err := golden.write(written); err != nil {
				t.Fatal(err)
			}
			now, _, err := written.Store.ReadAll(t.Context(), golden.key, nil)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
					os.WriteFile(path, now, 0o644)
				}
			}
			then, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(name, "list") && !bytes.Equal(now, then) { // compressors may differ
				t.Errorf("now %q\nthen %q", now, then)
			}
			p := newPack()
			if _, err := p.Store.PutBytes(t.Context(), golden.key, then, blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, p := range []packs.Pack{written, p} {
				if err := golden.read(p); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestListInParts(t *testing.T) {
	p := newPack()
	const n = 2*packs.PartSize + 1
	if err := p.PutList(t.Context(), calls(n), packs.Shape{Workers: 2}); err != nil {
		t.Fatal(err)
	}
	got, shape, err := p.List(t.Context())
	if err != nil || !reflect.DeepEqual(got, calls(n)) || shape != (packs.Shape{Calls: n, Workers: 2}) {
		t.Errorf("%d calls, %+v, %v", len(got), shape, err)
	}
	if one, _, err := p.Part(t.Context(), 2); err != nil || !reflect.DeepEqual(one, calls(n)[n-1:]) {
		t.Errorf("the last part: %v, %v", one, err)
	}
	if err := p.Remove(t.Context()); err != nil {
		t.Error(err)
	}
	for info, err := range p.Store.List(t.Context(), "", "") {
		t.Errorf("left: %s, %v", info.Key, err)
	}
}

// Alike calls cost little: the specs of workers are long.
func TestListIsSmall(t *testing.T) {
	store, counter := blobcount.New(blob.New("mem://packs", memblob.New()))
	p := packs.Pack{Store: store, ID: id}
	all := calls(packs.PartSize)
	for i := range all {
		all[i].Env = []string{"MOPS_WORKER=" + strings.Repeat(`{"setting":"value"}`, 100) + all[i].LeaseID}
	}
	if err := p.PutList(t.Context(), all, packs.Shape{Workers: 1}); err != nil {
		t.Fatal(err)
	}
	if n := counter.Counts().Total(); n != 1 {
		t.Errorf("%d operations", n)
	}
	info, err := store.Stat(t.Context(), "mops1-packs/"+id+"/list/000001")
	if err != nil || info.Size > 60*packs.PartSize {
		t.Errorf("%d bytes for %d calls of 2 kB, %v", info.Size, packs.PartSize, err)
	}
}

// Whoever replaces a worker goes on with its ledger.
func TestLedgerGoesOn(t *testing.T) {
	p := newPack()
	for want := 2; want < 5; want++ {
		next, err := p.Append(t.Context(), 0, 1, []packs.Entry{{Call: want}})
		if err != nil || next != want {
			t.Errorf("next is %d, want %d, %v", next, want, err)
		}
	}
	for page, call := range map[int]int{1: 2, 2: 3, 3: 4} {
		if got, found, err := p.Page(t.Context(), 0, page); err != nil || !found || len(got) != 1 || got[0].Call != call {
			t.Errorf("page %d: %v, %t, %v", page, got, found, err)
		}
	}
	for _, other := range []struct{ worker, page int }{{0, 4}, {1, 1}} {
		if got, found, err := p.Page(t.Context(), other.worker, other.page); err != nil || found {
			t.Errorf("%+v: %v, %t, %v", other, got, found, err)
		}
	}
}

// Damage costs what a page said, and stops nobody; a damaged list stops the worker.
func TestDamage(t *testing.T) {
	p := newPack()
	if err := p.PutList(t.Context(), calls(1), packs.Shape{Workers: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Append(t.Context(), 0, 1, entries); err != nil {
		t.Fatal(err)
	}
	if err := p.PutNext(t.Context(), 1, "another"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"list/000001", "ledger/0/000001", "given-up", "next/000001"} {
		if _, err := p.Store.PutBytes(t.Context(), "mops1-packs/"+id+"/"+key, []byte("garbage"), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := p.Part(t.Context(), 0); !errors.Is(err, record.ErrDamaged) {
		t.Errorf("a damaged list: %v", err)
	}
	if got, found, err := p.Page(t.Context(), 0, 1); len(got) != 0 || !found || err != nil {
		t.Errorf("a damaged page: %v, %t, %v", got, found, err)
	}
	if got, err := p.GivenUp(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("garbage in place of numbers: %v, %v", got, err)
	}
	if next, found, err := p.Next(t.Context(), 1); next != "" || !found || err != nil {
		t.Errorf("garbage in place of the next pack: %q, %t, %v; want workers to end", next, found, err)
	}
}

// A program hands a pack over while workers decide to end: one of them is first.
func TestNextIsPutOnce(t *testing.T) {
	p := newPack()
	if _, found, err := p.Next(t.Context(), 1); found || err != nil {
		t.Errorf("%t, %v", found, err)
	}
	if err := p.PutNext(t.Context(), 1, ""); err != nil {
		t.Fatal(err)
	}
	if err := p.PutNext(t.Context(), 1, "late"); !blob.Is(err, blob.Exists) {
		t.Errorf("the second: %v", err)
	}
	if next, found, err := p.Next(t.Context(), 1); next != "" || !found || err != nil {
		t.Errorf("%q, %t, %v", next, found, err)
	}
}
