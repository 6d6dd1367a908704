package gcsblob

import (
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

func TestConformance(t *testing.T) {
	server := emulator.GCS(t)
	t.Run("Bare", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) *blob.Store { return openStore(t, server.Root(t)) })
	})
	t.Run("Retry", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) *blob.Store { return blob.Retry(openStore(t, server.Root(t)), blob.RetryPolicy{}) })
	})
	t.Run("Faulty", func(t *testing.T) {
		often := map[blobtest.Op]float64{blobtest.OpAny: 0.05}
		plan := blobtest.FaultPlan{Seed: 3, Fail: often, LoseAck: often}
		blobtest.Run(t, func(t *testing.T) *blob.Store {
			return blob.Retry(blobtest.Faulty(openStore(t, server.Root(t)), plan), blob.RetryPolicy{First: time.Millisecond})
		}, blobtest.Except("NoLostSwap", "its writers put equal bytes, which a lost answer makes indistinguishable"))
	})
}

func openStore(tb testing.TB, uri string) *blob.Store {
	tb.Helper()
	s, err := blob.Open(tb.Context(), uri)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
