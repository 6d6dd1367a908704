package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/base/interrupt"
)

// Roots such as broken://readonly are unfit in the way that they say.
func init() {
	blob.Register("broken", func(ctx context.Context, uri string) (driver.Store, error) {
		inner := blob.New("mem://unfit", memblob.New())
		how := uri[strings.LastIndexAny(strings.SplitN(uri, "?", 2)[0], "/@")+1:]
		switch {
		case how == "readonly":
			return failing(inner, blobtest.OpPut, &driver.Error{Kind: driver.Denied, Err: errors.New("this user may only read")}), nil
		case strings.Contains(uri, "unreachable"):
			return failing(inner, blobtest.OpAny, &driver.Error{Kind: driver.Unavailable, Err: fmt.Errorf("dial %s: no such host", uri)}), nil
		case how == "locked":
			return nil, &driver.Error{Kind: driver.Denied, Err: errors.New("no credentials are set")}
		case how == "unconditional":
			return unconditional{memblob.New()}, nil
		case how == "slow":
			root, err := blob.Open(ctx, os.Getenv("MOPS_ROOT"))
			return slow(root), err
		}
		return nil, &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf("no root is broken in the way %q", how)}
	})
}

func failing(s *blob.Store, on blobtest.Op, err error) driver.Store {
	return blobtest.Faulty(s, blobtest.FaultPlan{Before: func(op blobtest.Op, _ string) error {
		if op == on || on == blobtest.OpAny {
			return err
		}
		return nil
	}}).Driver()
}

// slow takes its time. When it is well under way, it says so by a file, and does
// nothing more until somebody interrupts the program.
func slow(s *blob.Store) driver.Store {
	interrupted, _ := interrupt.Context(context.Background())
	var n atomic.Int64
	return blobtest.Faulty(s, blobtest.FaultPlan{Before: func(op blobtest.Op, _ string) error {
		operation := n.Add(1)
		if operation == 200 {
			if err := os.WriteFile("slow.began", nil, 0o666); err != nil {
				return err
			}
		}
		if operation >= 200 {
			<-interrupted.Done()
		}
		if op != blobtest.OpDelete {
			time.Sleep(10 * time.Millisecond)
		}
		return nil
	}}).Driver()
}

// unconditional ignores the conditions of puts.
type unconditional struct{ *memblob.Store }

func (u unconditional) Put(ctx context.Context, key string, body io.Reader, size int64, _ driver.PutOptions) (driver.Info, error) {
	return u.Store.Put(ctx, key, body, size, driver.PutOptions{})
}
