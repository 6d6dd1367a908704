package azureblob

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

func TestConformance(t *testing.T) {
	server := emulator.Azurite(t)
	store := openRoot(t, server.Root(t))
	blobtest.Run(t, func(*testing.T) *blob.Store { return store })
}

// The same in a folder, under the engine's decorators, on a store whose reads
// fail at times. (If puts failed, Retry would take equal bytes for its own, and
// writers of the suite put equal bytes.)
func TestConformanceOfRetry(t *testing.T) {
	server := emulator.Azurite(t)
	store := openRoot(t, under(server.Root(t), "some/folder"))
	faulty := blobtest.Faulty(store, blobtest.FaultPlan{Seed: 1, Fail: map[blobtest.Op]float64{blobtest.OpAny: 0.1, blobtest.OpPut: 0}})
	blobtest.Run(t, func(*testing.T) *blob.Store { return blob.Retry(faulty, quick) })
}
