package otelmops

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// over is mops.Instruments.Over.
func (m *metrics) over(s *blob.Store) *blob.Store {
	system, _, _ := strings.Cut(s.Root(), ":")
	return s.Over(&measured{inner: s.Driver(), duration: m.store, system: system, sessions: sessions{renewals: m.leases.renewals, system: system}})
}

// measured is a store whose requests are measured.
type measured struct {
	inner    driver.Store
	duration metric.Float64Histogram
	system   string
	series   sync.Map // of request to MeasurementOption, made once for each: a hit is a request
	sessions sessions
}

// tell records a request that began then.
func (s *measured) tell(ctx context.Context, operation string, began time.Time, err error) {
	of := request{operation, failure(err)}
	with, known := s.series.Load(of)
	if !known {
		attributes := []attribute.KeyValue{systemKey.String(s.system), operationKey.String(operation)}
		if of.failure != "" {
			attributes = append(attributes, errorKey.String(of.failure))
		}
		with, _ = s.series.LoadOrStore(of, metric.WithAttributeSet(attribute.NewSet(attributes...)))
	}
	s.duration.Record(ctx, time.Since(began).Seconds(), with.(metric.MeasurementOption))
}

// request is what requests that are measured together have in common.
type request struct{ operation, failure string }

// failure is the kind of an error; "" of what is no failure.
func failure(err error) string {
	switch {
	case err == nil, blob.Is(err, blob.NotFound), blob.Is(err, blob.Exists), blob.Is(err, blob.Mismatch), errors.Is(err, context.Canceled):
		return ""
	}
	return strings.ReplaceAll(blob.KindOf(err).String(), " ", "_")
}

func (s *measured) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	began := time.Now()
	body, info, err := s.inner.Get(ctx, key, part)
	s.tell(ctx, "get", began, err)
	return body, info, err
}

func (s *measured) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	began := time.Now()
	info, err := s.inner.Put(ctx, key, body, size, opts)
	s.tell(ctx, "put", began, err)
	s.sessions.put(ctx, key, opts, err)
	return info, err
}

func (s *measured) Stat(ctx context.Context, key string) (driver.Info, error) {
	began := time.Now()
	info, err := s.inner.Stat(ctx, key)
	s.tell(ctx, "stat", began, err)
	return info, err
}

func (s *measured) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		began, failed := time.Now(), error(nil)
		s.inner.List(ctx, prefix, startAt)(func(info driver.Info, err error) bool {
			failed = err
			return yield(info, err)
		})
		s.tell(ctx, "list", began, failed)
	}
}

func (s *measured) Delete(ctx context.Context, key string) error {
	began := time.Now()
	err := s.inner.Delete(ctx, key)
	s.tell(ctx, "delete", began, err)
	return err
}

func (s *measured) Close() error { return s.inner.Close() }

// The rest is called only where the inner store can do it; see driver.Like.

func (s *measured) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	began := time.Now()
	data, info, err := s.inner.(driver.Slurper).Slurp(ctx, key, buf, limit)
	s.tell(ctx, "get", began, err)
	return data, info, err
}

func (s *measured) Now(ctx context.Context) (time.Time, error) {
	return s.inner.(driver.Clock).Now(ctx)
}

func (s *measured) LocalPath(ctx context.Context, key string) (string, error) {
	began := time.Now()
	path, err := s.inner.(driver.Local).LocalPath(ctx, key)
	s.tell(ctx, "stat", began, err)
	return path, err
}
