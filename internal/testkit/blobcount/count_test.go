package blobcount_test

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

func TestCountConforms(t *testing.T) {
	blobtest.Run(t, func(*testing.T) *blob.Store { s, _ := blobcount.New(blob.New("mem://test", memblob.New())); return s })
}

func TestCount(t *testing.T) {
	ctx := t.Context()
	s, counter := blobcount.New(blob.New("mem://test", memblob.New()))
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
	want := blobcount.Counts{Get: 2, Put: 1, PutIfAbsent: 2, Swap: 1, Stat: 1, List: 1, Delete: 1, Clock: 1}
	if got := counter.Counts(); got != want || got.Total() != 10 {
		t.Errorf("counted %+v, in all %d, and should have %+v", got, got.Total(), want)
	}
}
