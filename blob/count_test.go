package blob_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

func newMem() *blob.Store { return blob.New("mem://test", memblob.New()) }

// TestDecoratorsKeepAbilities: a decorator has the abilities of the store
// below, no more and no fewer.
func TestDecoratorsKeepAbilities(t *testing.T) {
	type (
		s = driver.Store
		l = driver.Slurper
		c = driver.Clock
		f = driver.Local
	)
	all := everything{}
	for name, inner := range map[string]driver.Store{
		"none": struct{ s }{all}, "slurper": struct {
			s
			l
		}{all, all}, "clock": struct {
			s
			c
		}{all, all}, "local": struct {
			s
			f
		}{all, all}, "slurper, clock": struct {
			s
			l
			c
		}{all, all, all}, "slurper, local": struct {
			s
			l
			f
		}{all, all, all}, "clock, local": struct {
			s
			c
			f
		}{all, all, all}, "all": all,
	} {
		counted, _ := blobcount.New(blob.New("mem://x", inner))
		retried := blob.Retry(blob.New("mem://x", inner), blob.RetryPolicy{})
		faulty := blobtest.Faulty(blob.New("mem://x", inner), blobtest.FaultPlan{})
		cached := blob.Cache(blob.New("mem://x", inner), blob.CachePolicy{})
		for decorator, outer := range map[string]*blob.Store{"Count": counted, "Retry": retried, "Faulty": faulty, "Cache": cached} {
			if got, want := abilities(outer.Driver()), abilities(inner); got != want {
				t.Errorf("%s of a store with %s has %v, and should have %v", decorator, name, got, want)
			}
		}
	}
}

func abilities(d driver.Store) [3]bool {
	_, slurper := d.(driver.Slurper)
	_, clock := d.(driver.Clock)
	_, local := d.(driver.Local)
	return [3]bool{slurper, clock, local}
}

// everything has every ability, and none of them works.
type everything struct{ driver.Store }

func (everything) Slurp(context.Context, string, []byte, int64) ([]byte, driver.Info, error) {
	panic("unused")
}
func (everything) Now(context.Context) (time.Time, error)            { panic("unused") }
func (everything) LocalPath(context.Context, string) (string, error) { panic("unused") }
func (everything) List(context.Context, string, string) iter.Seq2[driver.Info, error] {
	panic("unused")
}
