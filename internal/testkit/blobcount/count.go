// Package blobcount counts the operations that reach a blob store: for tests and
// benchmarks, where the number of round trips is what counts.
package blobcount

import (
	"context"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// Counts is how many operations reached a store, failed ones included.
type Counts struct {
	Get         int // whole blobs and parts
	Put         int // without a condition
	PutIfAbsent int
	Swap        int // puts with IfVersion
	Stat        int // questions for the local path too
	List        int
	Delete      int
	Clock       int
}

// Total is the sum of all.
func (c Counts) Total() int {
	return c.Get + c.Put + c.PutIfAbsent + c.Swap + c.Stat + c.List + c.Delete + c.Clock
}

// Counter counts the operations that reach a store; see [New].
type Counter struct {
	get, put, putIfAbsent, swap, stat, list, delete, clock atomic.Int64
}

// Counts is the state of the counter.
func (c *Counter) Counts() Counts {
	return Counts{
		Get: int(c.get.Load()), Put: int(c.put.Load()), PutIfAbsent: int(c.putIfAbsent.Load()),
		Swap: int(c.swap.Load()), Stat: int(c.stat.Load()), List: int(c.list.Load()),
		Delete: int(c.delete.Load()), Clock: int(c.clock.Load()),
	}
}

// New returns a store that counts its operations and passes them on to s.
func New(s *blob.Store) (*blob.Store, *Counter) {
	counter := new(Counter)
	return s.Over(counting{s.Driver(), counter}), counter
}

type counting struct {
	inner driver.Store
	*Counter
}

func (c counting) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	c.get.Add(1)
	return c.inner.Get(ctx, key, part)
}

func (c counting) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	switch {
	case opts.IfVersion != "":
		c.swap.Add(1)
	case opts.IfAbsent:
		c.putIfAbsent.Add(1)
	default:
		c.put.Add(1)
	}
	return c.inner.Put(ctx, key, body, size, opts)
}

func (c counting) Stat(ctx context.Context, key string) (driver.Info, error) {
	c.stat.Add(1)
	return c.inner.Stat(ctx, key)
}

func (c counting) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		c.list.Add(1)
		c.inner.List(ctx, prefix, startAt)(yield)
	}
}

func (c counting) Delete(ctx context.Context, key string) error {
	c.delete.Add(1)
	return c.inner.Delete(ctx, key)
}

func (c counting) Close() error { return c.inner.Close() }

// The rest is called only where the inner store can do it; see driver.Like.

func (c counting) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	c.get.Add(1)
	return c.inner.(driver.Slurper).Slurp(ctx, key, buf, limit)
}

func (c counting) Now(ctx context.Context) (time.Time, error) {
	c.clock.Add(1)
	return c.inner.(driver.Clock).Now(ctx)
}

func (c counting) LocalPath(ctx context.Context, key string) (string, error) {
	c.stat.Add(1)
	return c.inner.(driver.Local).LocalPath(ctx, key)
}
