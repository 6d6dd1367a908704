package blobtest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// Op is a kind of operation, as [FaultPlan] tells them apart.
type Op string

// The operations. OpGet includes reading a whole blob at once, OpStat asking
// for a local path. OpAny stands for all operations that a plan does not name.
const (
	OpGet    Op = "get"
	OpPut    Op = "put"
	OpStat   Op = "stat"
	OpList   Op = "list"
	OpDelete Op = "delete"
	OpClock  Op = "clock"
	OpAny    Op = "any"
)

// FaultPlan says how a store fails. Its zero value never does. The seed alone
// decides about the n-th operation of one kind on one key, whatever else goes
// on at the same time.
type FaultPlan struct {
	Seed uint64

	// Probabilities from 0 to 1, per operation.
	Fail    map[Op]float64 // does nothing, and reports Unavailable
	LoseAck map[Op]float64 // does it, and still reports Unavailable
	Stall   map[Op]float64 // does nothing until the context ends
	Cut     float64        // ends the body of a Get half way with an error
	Flip    float64        // makes one bit of a Get wrong, silently

	// Before and After, if not nil, are called around every operation; their error
	// becomes that of the operation. After an error of Before nothing is done, so a
	// test may let a process crash there. They are called from the goroutines that
	// use the store.
	Before, After func(op Op, key string) error
}

var errPlanned = errors.New("failed on purpose")

// Faulty returns a store that does what s does, but fails as planned.
func Faulty(s *blob.Store, plan FaultPlan) *blob.Store {
	f := &faulty{inner: s.Driver(), plan: plan, counts: make(map[step]uint64)}
	return s.Over(f)
}

type faulty struct {
	inner driver.Store
	plan  FaultPlan

	mu     sync.Mutex
	counts map[step]uint64
}

type step struct {
	op  Op
	key string
}

// The ways to fail, each with odds of its own.
const (
	byFailing = iota
	byLosing
	byStalling
	byCutting
	byFlipping
)

// fate decides about one operation.
type fate struct {
	f  *faulty
	op Op

	key string
	n   uint64 // number of earlier operations of this kind on this key
}

func (f *faulty) next(op Op, key string) fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := step{op, key}
	n := f.counts[s]
	f.counts[s]++
	return fate{f, op, key, n}
}

// hits throws the dice.
func (x fate) hits(way int, odds float64) bool {
	if odds <= 0 {
		return false
	}
	h := fnv.New64a()
	fmt.Fprintln(h, x.op, x.key)
	dice := rand.New(rand.NewPCG(x.f.plan.Seed, h.Sum64()+x.n*31+uint64(way)))
	return dice.Float64() < odds
}

func rate(odds map[Op]float64, op Op) float64 {
	if p, ok := odds[op]; ok {
		return p
	}
	return odds[OpAny]
}

// before returns the error that the operation ends with before anything is
// done, if any.
func (x fate) before(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if x.hits(byStalling, rate(x.f.plan.Stall, x.op)) {
		<-ctx.Done()
		return ctx.Err()
	}
	if x.f.plan.Before != nil {
		if err := x.f.plan.Before(x.op, x.key); err != nil {
			return err
		}
	}
	if x.hits(byFailing, rate(x.f.plan.Fail, x.op)) {
		return &driver.Error{Kind: driver.Unavailable, Err: errPlanned}
	}
	return nil
}

// after turns the operation's error into the reported one.
func (x fate) after(err error) error {
	if x.f.plan.After != nil {
		if err := x.f.plan.After(x.op, x.key); err != nil {
			return err
		}
	}
	if err == nil && x.hits(byLosing, rate(x.f.plan.LoseAck, x.op)) {
		return &driver.Error{Kind: driver.Unavailable, Err: fmt.Errorf("acknowledgement lost: %w", errPlanned)}
	}
	return err
}

// do runs an operation between before and after.
func (f *faulty) do(ctx context.Context, op Op, key string, operation func() error) error {
	x := f.next(op, key)
	if err := x.before(ctx); err != nil {
		return err
	}
	return x.after(operation())
}

func (f *faulty) Get(ctx context.Context, key string, part driver.Range) (body io.ReadCloser, info driver.Info, err error) {
	x := f.next(OpGet, key)
	if err := x.before(ctx); err != nil {
		return nil, driver.Info{}, err
	}
	body, info, err = f.inner.Get(ctx, key, part)
	if failure := x.after(err); failure != nil {
		if err == nil {
			body.Close()
		}
		return nil, driver.Info{}, failure
	}
	if x.hits(byCutting, f.plan.Cut) {
		size := info.Size - part.Offset
		if part.Length > 0 {
			size = min(size, part.Length)
		}
		half := io.MultiReader(io.LimitReader(body, size/2), failing{&driver.Error{Kind: driver.Unavailable, Err: io.ErrUnexpectedEOF}})
		body = struct {
			io.Reader
			io.Closer
		}{half, body}
	}
	if x.hits(byFlipping, f.plan.Flip) {
		body = struct {
			io.Reader
			io.Closer
		}{&flipping{body, x.n}, body}
	}
	return body, info, nil
}

// flipping inverts one bit in the first bytes that come.
type flipping struct {
	io.Reader
	n uint64 // decides which one
}

func (f *flipping) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if n > 0 && f.n < flipped {
		flip(p[:n], f.n)
		f.n = flipped
	}
	return n, err
}

// flipped marks a bit that was inverted; no operation has this number.
const flipped = 1 << 63

func flip(data []byte, n uint64) {
	if len(data) > 0 {
		bit := n * 7919 % uint64(8*len(data))
		data[bit/8] ^= 1 << (bit % 8)
	}
}

func (f *faulty) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (info driver.Info, err error) {
	x := f.next(OpPut, key)
	if err := x.before(ctx); err != nil {
		io.CopyN(io.Discard, body, max(size/2, 1)) // as a connection that breaks would
		return driver.Info{}, err
	}
	info, err = f.inner.Put(ctx, key, body, size, opts)
	if err := x.after(err); err != nil {
		return driver.Info{}, err
	}
	return info, nil
}

func (f *faulty) Stat(ctx context.Context, key string) (info driver.Info, err error) {
	err = f.do(ctx, OpStat, key, func() (err error) { info, err = f.inner.Stat(ctx, key); return err })
	return info, err
}

// List fails at its beginning or, if the acknowledgement is lost, at its end.
func (f *faulty) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		left := false
		err := f.do(ctx, OpList, prefix, func() error {
			for info, err := range f.inner.List(ctx, prefix, startAt) {
				if err != nil {
					return err
				}
				if left = !yield(info, nil); left {
					return nil
				}
			}
			return nil
		})
		if err != nil && !left {
			yield(driver.Info{}, err)
		}
	}
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	return f.do(ctx, OpDelete, key, func() error { return f.inner.Delete(ctx, key) })
}

func (f *faulty) Close() error { return f.inner.Close() }

func (f *faulty) Slurp(ctx context.Context, key string, buf []byte, limit int64) (data []byte, info driver.Info, err error) {
	x := f.next(OpGet, key)
	if err := x.before(ctx); err != nil {
		return buf, driver.Info{}, err
	}
	data, info, err = f.inner.(driver.Slurper).Slurp(ctx, key, buf, limit)
	err = x.after(err)
	if err == nil && x.hits(byCutting, f.plan.Cut) {
		err = &driver.Error{Kind: driver.Unavailable, Err: io.ErrUnexpectedEOF}
	}
	if err != nil {
		return buf, info, err
	}
	if x.hits(byFlipping, f.plan.Flip) {
		flip(data[len(buf):], x.n)
	}
	return data, info, nil
}

func (f *faulty) Now(ctx context.Context) (now time.Time, err error) {
	err = f.do(ctx, OpClock, "", func() (err error) { now, err = f.inner.(driver.Clock).Now(ctx); return err })
	return now, err
}

func (f *faulty) LocalPath(ctx context.Context, key string) (path string, err error) {
	err = f.do(ctx, OpStat, key, func() (err error) { path, err = f.inner.(driver.Local).LocalPath(ctx, key); return err })
	return path, err
}
