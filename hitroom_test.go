package mops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

type varied struct {
	Text  string
	Bytes []byte
	Raw   json.RawMessage
	Map   map[string][]byte
	At    time.Time
}

var variedOf = mops.Define("test/varied", vary)

func vary(_ context.Context, n int) (varied, error) {
	text := bytes.Repeat(fmt.Appendf(nil, "%d ", n), 1+n%50)
	return varied{
		Text: string(text), Bytes: text, Raw: fmt.Appendf(nil, `{"n":%d}`, n), Map: map[string][]byte{string(text): text},
		At: time.Unix(int64(n), 0).UTC(),
	}, nil
}

// Results of hits are read into memory that the next hit uses again: no value, and
// nothing that is known of a call, keeps any of it.
func TestHitsShareNoMemory(t *testing.T) {
	ctx, _ := onDisk(t)
	const calls = 200
	var made [calls]mops.Info
	for i := range calls {
		_, made[i], _ = variedOf.Do(ctx, i)
	}
	var outs [4][calls]varied
	var infos [4][calls]mops.Info
	var running sync.WaitGroup
	for g := range outs {
		running.Go(func() {
			for i := range calls {
				var err error
				if g%2 == 0 {
					outs[g][i], infos[g][i], err = variedOf.Do(ctx, i)
				} else {
					outs[g][i], err = variedOf.Call(ctx, i)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	for g := range outs {
		for i, got := range outs[g] {
			want, _ := vary(ctx, i)
			if got.Text != want.Text || !bytes.Equal(got.Bytes, want.Bytes) || !bytes.Equal(got.Raw, want.Raw) ||
				!maps.EqualFunc(got.Map, want.Map, bytes.Equal) || !got.At.Equal(want.At) {
				t.Fatalf("call %d came back as %+v", i, got)
			}
			if g%2 == 0 && (infos[g][i].Outcome != mops.Hit || infos[g][i].Made() != made[i].Made()) {
				t.Fatalf("call %d: %+v, want %+v", i, infos[g][i].Made(), made[i].Made())
			}
		}
	}
}
