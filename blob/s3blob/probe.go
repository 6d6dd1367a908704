package s3blob

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// verdict is whether the service heeds conditions, once that is known.
type verdict struct {
	trusted atomic.Bool
	refusal error         // final
	turn    chan struct{} // holds one: the goroutine that probes
}

// get returns why the service must not be relied on; nil if it may be. The
// first caller probes, and the others wait; after a probe that failed for
// another reason the next caller probes again.
func (v *verdict) get(ctx context.Context, probe func(context.Context) error) error {
	if v.trusted.Load() {
		return nil
	}
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if v.trusted.Load() || v.refusal != nil {
		return v.refusal
	}
	err := probe(ctx)
	if _, final := err.(*ignored); final {
		err = probe(ctx) // one bit of an answer must not decide for good
	}
	if _, final := err.(*ignored); final {
		v.refusal = &driver.Error{Kind: driver.Invalid, Err: err}
		return v.refusal
	}
	v.trusted.Store(err == nil)
	return err
}

// ignored is the finding that a service does not heed conditions.
type ignored struct {
	endpoint, what string
}

func (e *ignored) Error() string {
	return fmt.Sprintf("the service at %s %s. Results could be overwritten and calls be computed twice, so mops does not use it: "+
		"take a service with conditional writes, or a newer release of this one", e.endpoint, e.what)
}

// attempt is one put of a probe, and its result if the service heeds
// conditions.
type attempt struct {
	opts    driver.PutOptions
	want    driver.Kind // Other: success
	finding string      // for any other result
}

func (s *store) judge(a attempt, err error) error {
	switch {
	case err == nil && a.want == driver.Other, a.want != driver.Other && blob.Is(err, a.want):
		return nil
	case err == nil, blob.Is(err, driver.Exists), blob.Is(err, driver.Mismatch):
		return &ignored{s.endpoint, a.finding}
	}
	return err
}

// noVersion is an ETag that no object of ours has.
const noVersion = "00000000000000000000000000000000"

// probeWhole puts one small object again and again. The first attempt finds
// services that take If-Match for met when there is no object, as MinIO did
// (minio/minio#21526).
func (s *store) probeWhole(ctx context.Context) error {
	key := driver.ScratchPrefix + "probe-" + rand.Text()
	written := false
	defer func() {
		if written {
			s.remove(ctx, key)
		}
	}()
	var there driver.Version
	for i, a := range []attempt{
		{driver.PutOptions{IfVersion: noVersion}, driver.Mismatch, "takes the condition If-Match for met where there is no object"},
		{driver.PutOptions{IfAbsent: true}, driver.Other, "refuses the condition If-None-Match: * where there is no object"},
		{driver.PutOptions{IfAbsent: true}, driver.Exists, "ignores the condition If-None-Match: *"},
		{driver.PutOptions{IfVersion: noVersion}, driver.Mismatch, "ignores the condition If-Match"},
		{driver.PutOptions{}, driver.Other, "refuses the condition If-Match with the right ETag"},
	} {
		if a.opts == (driver.PutOptions{}) {
			a.opts.IfVersion = there
		}
		o, err := s.object(key, a.opts)
		if err != nil {
			return err
		}
		info, err := o.put(ctx, fmt.Appendf(nil, "%s %d", key, i))
		if err == nil {
			there = info.Version
		}
		written = written || i > 0 || err == nil
		if err := s.judge(a, err); err != nil {
			return err
		}
	}
	return nil
}

// probeParts completes two uploads that the service must refuse.
func (s *store) probeParts(ctx context.Context) error {
	key := driver.ScratchPrefix + "probe-" + rand.Text()
	o, err := s.object(key, driver.PutOptions{})
	if err != nil {
		return err
	}
	if _, err := o.put(ctx, []byte(key)); err != nil {
		return err
	}
	defer s.remove(ctx, key)
	for _, a := range []attempt{
		{driver.PutOptions{IfAbsent: true}, driver.Exists, "ignores the condition If-None-Match: * for objects in parts"},
		{driver.PutOptions{IfVersion: noVersion}, driver.Mismatch, "ignores the condition If-Match for objects in parts"},
	} {
		o.opts = a.opts
		if err := s.judge(a, o.putInOnePart(ctx, []byte(key+" in parts"))); err != nil {
			return err
		}
	}
	return nil
}

func (o object) putInOnePart(ctx context.Context, data []byte) error {
	u, err := o.begin(ctx)
	if err != nil {
		return err
	}
	if err = u.Put(ctx, 1, data); err == nil {
		_, err = u.Complete(ctx, 1, int64(len(data)))
	}
	if err != nil {
		u.Abort(context.WithoutCancel(ctx))
	}
	return err
}

// remove tries to leave nothing of a probe behind.
func (s *store) remove(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	blob.RetryPolicy{Tries: 3}.Do(ctx, func() error { return s.Delete(ctx, key) })
}
