//go:build linux || darwin

package enginetest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// The kind of fault: one bit is wrong in one answer of a store, on its way, once:
// in its status line, its header, the content or the words of a refusal. The
// next answer would be right. So no operation fails, or comes to another result.
func TestOneBitOfOneAnswer(t *testing.T) {
	t.Parallel()
	stride := 29
	if soak {
		stride = 1
	}
	onServers(t, func(t *testing.T, server *emulator.Server) {
		ctx := t.Context()
		root, proxy := server.Behind(t)
		bare, err := blob.Open(ctx, root)
		if err != nil {
			t.Fatal(err)
		}
		defer bare.Close()
		s := blob.Retry(bare, blob.RetryPolicy{First: 1, Max: time.Millisecond})
		content := bytes.Repeat([]byte("content "), 100)
		is := func(key string, want []byte) error {
			if got, _, err := s.ReadAll(ctx, key, nil); err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("%d bytes are stored (%v)", len(got), err)
			}
			return nil
		}
		for name, do := range map[string]func(key string, there, older blob.Version) error{
			"read": func(key string, _, _ blob.Version) error {
				got, _, err := s.ReadAll(ctx, key, nil)
				if err == nil && !bytes.Equal(got, content) {
					err = fmt.Errorf("%d other bytes came", len(got))
				}
				return err
			},
			"read what is not there": func(key string, _, _ blob.Version) error {
				_, _, err := s.ReadAll(ctx, key+"-not", nil)
				return wants(blob.NotFound, err)
			},
			"look": func(key string, _, _ blob.Version) error { _, err := s.Stat(ctx, key); return err },
			"look for what is not there": func(key string, _, _ blob.Version) error {
				_, err := s.Stat(ctx, key+"-not")
				return wants(blob.NotFound, err)
			},
			"put": func(key string, _, _ blob.Version) error {
				_, err := s.PutBytes(ctx, key+"-new", []byte(key), blob.PutOptions{IfAbsent: true})
				if err == nil {
					err = is(key+"-new", []byte(key))
				}
				return err
			},
			"put what is there": func(key string, _, _ blob.Version) error {
				_, err := s.PutBytes(ctx, key, []byte("other"), blob.PutOptions{IfAbsent: true})
				if err := wants(blob.Exists, err); err != nil {
					return err
				}
				return is(key, content)
			},
			"swap": func(key string, there, _ blob.Version) error {
				_, err := s.PutBytes(ctx, key, []byte("next"), blob.PutOptions{IfVersion: there})
				if err == nil {
					err = is(key, []byte("next"))
				}
				return err
			},
			"swap another version": func(key string, _, older blob.Version) error {
				_, err := s.PutBytes(ctx, key, []byte("next"), blob.PutOptions{IfVersion: older})
				if err := wants(blob.Mismatch, err); err != nil {
					return err
				}
				return is(key, content)
			},
			"delete": func(key string, _, _ blob.Version) error { return s.Delete(ctx, key) },
		} {
			bits, struck, tried := stride+1, 0, 0
			for bit := rand.IntN(stride); bit < bits; bit += stride {
				key := strings.ReplaceAll(fmt.Sprintf("%s/%d", name, bit), " ", "-")
				older, err := s.PutBytes(ctx, key, []byte("older"), blob.PutOptions{})
				if err != nil {
					t.Fatal(err)
				}
				there, err := s.PutBytes(ctx, key, content, blob.PutOptions{})
				if err != nil {
					t.Fatal(err)
				}
				proxy.Strike(1, faultproxy.FlipBit(func(all int) int { struck++; bits = all; return min(bit, all-1) }), faultproxy.Any)
				if err := do(key, there.Version, older.Version); err != nil {
					t.Errorf("%s, with bit %d of %d wrong: %v", name, bit, bits, err)
				}
				proxy.Reset()
				tried++
				for _, made := range []string{key, key + "-new"} { // servers of tests search through all that there is
					if err := s.Delete(ctx, made); err != nil {
						t.Fatal(err)
					}
				}
			}
			if struck < tried/2 { // a connection may break before the answer
				t.Errorf("%s: %d answers were struck of %d", name, struck, tried)
			}
			t.Logf("%s: an answer of %d bits, struck %d of %d", name, bits, struck, tried)
		}
	})
}

// The same for whole calls: with files, shared values, leases and sessions, over
// again until each request of a call was struck several times.
func TestOneBitOfACall(t *testing.T) {
	t.Parallel()
	rounds := 60
	if soak {
		rounds = 2000
	}
	type input struct {
		N      int
		File   mops.Source
		Shared mops.Shared[string]
	}
	onServers(t, func(t *testing.T, server *emulator.Server) {
		root, proxy := server.Behind(t)
		reg := mops.NewRegistry()
		f := mops.Define("bits/f", func(ctx context.Context, in input) (string, error) {
			file, err := in.File.Open(ctx)
			if err != nil {
				return "", err
			}
			defer file.Close()
			text, err := io.ReadAll(file)
			if err != nil {
				return "", err
			}
			shared, err := in.Shared.Get(ctx)
			return fmt.Sprint(in.N, string(text), shared), err
		}, mops.In(reg))
		// The function finds file and value where a caller on another machine would:
		// in the store, as a second call refers to them.
		call := func(n int, cold string) error {
			env, err := mops.New(t.Context(), mops.Isolated(), mops.In(reg), mops.Root(root), mops.CacheDir(t.TempDir()), mops.LogTo(slog.New(slog.DiscardHandler)))
			if err != nil {
				return err
			}
			defer env.Close()
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(cold), 0o600); err != nil {
				return err
			}
			got, err := f.Call(env.Context(t.Context()), input{n, mops.File(path), mops.Share("shared " + cold)})
			if want := fmt.Sprint(n, cold, "shared "+cold); err == nil && got != want {
				err = fmt.Errorf("it returned %.50q", got)
			}
			return err
		}
		// A request that its call has given up may be struck later.
		var struck atomic.Int64
		for n := range rounds {
			cold := fmt.Sprintf("content %d ", n) + strings.Repeat("x", 2000)
			for _, most := range []int{14, 3} { // requests of a cold call, and of a hit
				skip, seen := rand.IntN(most), 0
				var what atomic.Value
				proxy.Strike(1, faultproxy.FlipBit(func(all int) int {
					bit := rand.IntN(all)
					what.Store(fmt.Sprintf("bit %d of %d", bit, all))
					struck.Add(1)
					return bit
				}), func(r *http.Request) bool { seen++; return seen > skip })
				if err := call(n, cold); err != nil {
					t.Errorf("with %v of answer %d wrong: %v", what.Load(), skip, err)
				}
				proxy.Reset()
			}
		}
		t.Logf("%d answers were struck", struck.Load())
	})
}

// wants is an error unless err is of that kind.
func wants(kind blob.Kind, err error) error {
	if blob.Is(err, kind) {
		return nil
	}
	return fmt.Errorf("want %v, got %v", kind, err)
}
