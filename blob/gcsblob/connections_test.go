package gcsblob

import (
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// Thousands of calls side by side share connections, also if their blobs are
// missing.
func TestConnectionsAreReused(t *testing.T) {
	const goroutines, each = 64, 32
	s := openStore(t, emulator.GCS(t).Root(t))
	if _, err := s.PutBytes(t.Context(), "blob", make([]byte, 600), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int32
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{ConnectDone: func(string, string, error) { opened.Add(1) }})
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				key := "blob"
				if i%2 == 0 {
					key = "nothing"
				}
				if _, _, err := s.ReadAll(ctx, key, nil); err != nil && !blob.Is(err, blob.NotFound) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	// A request that finds none free opens one, and may then get another's first; under
	// load many find none.
	if n := opened.Load(); n > goroutines*each/4 {
		t.Errorf("%d reads by %d goroutines opened %d connections", goroutines*each, goroutines, n)
	} else {
		t.Logf("%d reads by %d goroutines opened %d connections", goroutines*each, goroutines, n)
	}
}
