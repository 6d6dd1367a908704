package code

import (
	"strings"
	"testing"
)

func TestLocks(t *testing.T) {
	var locks Locks
	if own, err := locks.Of("forecast/train", "2"); own != nil || err != nil {
		t.Errorf("of no lock: %v, %v", own, err)
	}
	locks.State(sample().String(), "/src/forecast/mops_lock.go")
	if got := locks.Files(); len(got) != 1 || got["/src/forecast/mops_lock.go"] != "example.com/forecast" {
		t.Errorf("files %v", got)
	}
	own, err := locks.Of("forecast/train", "2")
	if err != nil || own == nil || own.Hash != "bb" || own.File != "/src/forecast/mops_lock.go" {
		t.Errorf("%+v, %v", own, err)
	}
	if got := locks.In("example.com/forecast"); len(got) != 2 || len(locks.In("example.com")) != 0 {
		t.Errorf("in a package: %v", got)
	}
	if own, err := locks.Of("forecast/train", "3"); own != nil || err != nil {
		t.Errorf("of another version: %v, %v", own, err)
	}

	other := sample()
	other.Functions[1].Hash = "cc"
	locks.State(other.String(), "/src/other/mops_lock.go")
	if own, err := locks.Of("forecast/train", "2"); own != nil || err != nil {
		t.Errorf("of two: %v, %v", own, err)
	}
	if own, err := locks.Of("forecast/clean", "1"); own == nil || err != nil {
		t.Errorf("of two that agree: %v, %v", own, err)
	}

	locks.State("mops lock 2\n", "/src/newer/mops_lock.go")
	_, err = locks.Of("forecast/clean", "1")
	if want := "/src/newer/mops_lock.go: line 1 of the lock: a newer release"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
