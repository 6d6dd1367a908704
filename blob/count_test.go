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
)

func newMem() *blob.Store { return blob.New("mem://test", memblob.New()) }

func TestCountConforms(t *testing.T) {
	blobtest.Run(t, func(*testing.T) *blob.Store { s, _ := blob.Count(newMem()); return s })
}

func TestCount(t *testing.T) {
	ctx := t.Context()
	s, counter := blob.Count(newMem())
	info, _ := s.PutBytes(ctx, "key", nil, blob.PutOptions{IfAbsent: true})
	s.PutBytes(ctx, "key", nil, blob.PutOptions{IfAbsent: true}) // fails, and counts
	s.PutBytes(ctx, "key", nil, blob.PutOptions{IfVersion: info.Version})
	s.PutBytes(ctx, "key", nil, blob.PutOptions{})
	s.ReadAll(ctx, "key", nil)
	s.Get(ctx, "key", blob.Range{})
	s.Stat(ctx, "key")
	for range s.List(ctx, "", "") {
	}
	s.Delete(ctx, "key")
	s.Now(ctx)
	s.Stat(ctx, "/invalid") // never gets there
	want := blob.Counts{Get: 2, Put: 1, PutIfAbsent: 2, Swap: 1, Stat: 1, List: 1, Delete: 1, Clock: 1}
	if got := counter.Counts(); got != want || got.Total() != 10 {
		t.Errorf("counted %+v, in all %d, and should have %+v", got, got.Total(), want)
	}
}

// TestDecoratorsKeepAbilities: a decorator has the abilities of what it
// decorates, no more and no fewer.
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
		counted, _ := blob.Count(blob.New("mem://x", inner))
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
