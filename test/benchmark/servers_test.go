package benchmark

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	_ "github.com/TrilliantHealth/mops-go/blob/azureblob"
	_ "github.com/TrilliantHealth/mops-go/blob/gcsblob"
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// onServers runs a benchmark over each cloud store, on its emulator, as fast as
// that is and with 20 ms for each request, which is what a region away costs.
func onServers(b *testing.B, run func(b *testing.B, ctx context.Context, sdk bare)) {
	for name, start := range map[string]func(testing.TB) *emulator.Server{
		"s3": emulator.S3, "adls": emulator.Azurite, "gs": emulator.GCS,
	} {
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			b.Run(fmt.Sprintf("%s/latency=%v", name, latency), func(b *testing.B) {
				server := start(b)
				root := server.Root(b)
				if latency > 0 {
					behind, proxy := server.Behind(b)
					proxy.SetLatency(latency)
					root = behind
				}
				ctx, _ := environment(b, mops.Root(root))
				run(b, ctx, bareOn(b, server, root))
			})
		}
	}
}

// keyOf is what the service calls a record of a call.
func keyOf(info mops.Info, name string) string {
	u := must(url.Parse(info.URI))
	key := strings.TrimPrefix(u.Path, "/") + "/" + name
	if u.Scheme == "adls" { // whose first segment is the container
		_, key, _ = strings.Cut(key, "/")
	}
	return key
}

// A hit against the SDK's reading of the same record, alone and 64 side by side.
func BenchmarkServerHit(b *testing.B) {
	onServers(b, func(b *testing.B, ctx context.Context, sdk bare) {
		const calls = 1024
		keys := make([]string, calls)
		for i := range calls {
			_, info, err := small.Do(ctx, numbered(i))
			must(0, err)
			keys[i] = keyOf(info, "result")
		}
		hit := func(i int) { must(small.Call(ctx, numbered(max(i, 0)%calls))) }
		get := func(i int) { must(0, sdk.get(ctx, keys[max(i, 0)%calls])) }
		b.Run("goroutines=1", func(b *testing.B) { compare(b, 16, 1, 1.15, hit, get) })
		b.Run("goroutines=64", func(b *testing.B) { // 1,024 in each turn
			compare(b, 1, 1024, 1.2, sideBySide(64, 16, hit), sideBySide(64, 16, get))
		})
	})
}

// A cold call in another process against its own operations, done bare one
// after the other, and the start of a process that does nothing.
func BenchmarkServerCold(b *testing.B) {
	onServers(b, func(b *testing.B, ctx context.Context, sdk bare) {
		self, record := must(os.Executable()), make([]byte, 700)
		call := func(i int) { must(elsewhere.Call(ctx, i)) }
		operations := func(i int) {
			folder := fmt.Sprintf("bare/amber-kite-river.%064x/", i+1)
			if sdk.get(ctx, folder+"result") == nil {
				panic("there is a result")
			}
			lease := must(sdk.put(ctx, folder+"lease", record, ""))
			must(sdk.put(ctx, folder+"invocation", record, ""))
			must(0, exec.Command(self, "-test.run=^$").Run())
			must(sdk.put(ctx, folder+"lease", record, lease))
			must(0, sdk.get(ctx, folder+"invocation"))
			must(sdk.put(ctx, folder+"result", record, ""))
			must(0, sdk.get(ctx, folder+"result"))
		}
		compare(b, 2, 1, 1.3, call, operations)
	})
}
