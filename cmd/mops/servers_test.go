package main

import (
	"context"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// The tool works on each cloud store as it does on a folder: it finds a sound one
// fit for use, leaves nothing behind, shows calls, explains and removes them.
func TestToolOnServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *emulator.Server{
		"s3": emulator.S3, "adls": emulator.Azurite, "gs": emulator.GCS,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newTool(t)
			l.root = start(t).Root(t)
			l.expect(0, []string{"PASS  conditions", "PASS  NoLostSwap", "PASS  clean", " 0 failed"}, "doctor")
			if left := l.keys(); len(left) != 0 {
				t.Errorf("doctor left behind %q", left)
			}

			var oslo mops.Info
			l.call(func(ctx context.Context) {
				for _, city := range []string{"Oslo", "Rome"} {
					_, info, err := trade.Do(ctx, tradeIn{City: city, Rate: 0.1})
					if err != nil {
						t.Fatal(err)
					}
					oslo = info
				}
			})
			l.expect(0, []string{"shop/trade@1      2        2"}, "ls")
			l.expect(0, []string{`City: "Rome"`, "Total: 0.2"}, "inspect", oslo.URI)
			l.expect(0, []string{`In.City: "Rome" here, "Oslo" there`}, "why", oslo.URI)
			l.expect(0, []string{"shop/trade@1", "Nothing was removed"}, "gc", "--function", "shop/trade")
			before := len(l.keys())
			l.expect(0, []string{"2 calls"}, "gc", "--function", "shop/trade", "--delete")
			l.expect(0, []string{"shop/tax"}, "ls")
			after := l.keys()
			if len(after) >= before || strings.Contains(strings.Join(after, " "), "shop/trade@1") {
				t.Errorf("of %d blobs gc left %d: %q", before, len(after), after)
			}
		})
	}
}

// keys are all that is in the root.
func (l *tool) keys() (all []string) {
	l.t.Helper()
	store, err := blob.Open(l.t.Context(), l.root)
	if err != nil {
		l.t.Fatal(err)
	}
	for info, err := range store.List(l.t.Context(), "", "") {
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}
