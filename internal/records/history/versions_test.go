package history

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

func TestOtherVersion(t *testing.T) {
	synctest.Test(t, testOtherVersion) // no reading takes longer than Read has
}

func testOtherVersion(t *testing.T) {
	store := blob.New("mem://test", memblob.New())
	other := func(want string, seconds float64) {
		t.Helper()
		runs, version, err := OtherVersion(t.Context(), store, folder)
		if version != want || err != nil || want != "" && (len(runs) != 1 || runs[0].Wall.Seconds() != seconds) {
			t.Errorf("version %q, %+v, %v; want %q", version, runs, err, want)
		}
	}
	put := func(name, version string, seconds float64, ended time.Time) {
		t.Helper()
		key := memokey.Parts{Name: name, Version: version, In: "in", Out: "out", Input: []byte("in")}.Key()
		run := ran(seconds, 1<<20)
		run.Ended = ended
		putResult(t, memo.Place{Store: store, Path: memokey.Path("p", name, version, key), Key: key}, result(run), 10)
	}
	other("", 0)
	now := time.Now()
	put("forecast/train", "1", 1, now) // the version itself
	put("forecast/training", "9", 9, now)
	other("", 0)
	put("forecast/train", "0", 2, now.Add(-time.Hour))
	other("0", 2)
	put("forecast/train", "10", 3, now.Add(-time.Minute))
	other("10", 3)
	put("forecast/train", "2", 4, now.Add(-2*time.Minute))
	other("10", 3)
	for i := range 2 * mostVersions { // of many it looks at some
		put("forecast/train", fmt.Sprint(30+i), 5, now.Add(time.Hour))
	}
	if _, version, err := OtherVersion(t.Context(), store, folder); version == "" || err != nil {
		t.Errorf("of many: %q, %v", version, err)
	}
	if runs, version, err := OtherVersion(t.Context(), store, "nothing"); runs != nil || version != "" || err != nil {
		t.Errorf("of no function: %v, %q, %v", runs, version, err)
	}
	away := errors.New("away")
	broken := blob.New("mem://slow", &slow{Store: memblob.New(), fail: away})
	if _, _, err := OtherVersion(t.Context(), broken, folder); !errors.Is(err, away) {
		t.Errorf("a store that cannot be listed: %v", err)
	}
}
