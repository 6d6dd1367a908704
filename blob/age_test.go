package blob_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// The clock that dated a blob tells its age, however wrong it is, and is asked
// once in a while.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memblob.New()
		mem.SetClock(func() time.Time { return time.Now().Add(-24 * time.Hour) })
		store, count := blobcount.New(blob.New("mem://age", mem))
		info, err := store.PutBytes(t.Context(), "key", []byte("x"), blob.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 90 {
			time.Sleep(time.Minute)
			store.Age(t.Context(), info)
		}
		if age := store.Age(t.Context(), info); age != 90*time.Minute {
			t.Errorf("%v old", age)
		}
		if n := count.Counts().Clock; n != 2 {
			t.Errorf("in one and a half hours the clock was asked %d times", n)
		}
		bare := blob.New("mem://bare", bare{memblob.New()})
		if info, err = bare.PutBytes(t.Context(), "key", nil, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if age := bare.Age(t.Context(), info); age != time.Minute {
			t.Errorf("without a clock of the store, %v old", age)
		}
	})
}
