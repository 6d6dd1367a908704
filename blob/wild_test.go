package blob_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// The kind: somebody else wrote the driver, so it may do what its contract
// forbids. Whatever it does, an operation ends with an error that names the
// blob, and no panic reaches a goroutine without a guard.

// wild is a driver that does the same wrong thing in every method.
type wild struct{ do func() error }

func (w wild) Get(context.Context, string, driver.Range) (io.ReadCloser, driver.Info, error) {
	return nil, driver.Info{}, w.do()
}

func (w wild) Put(context.Context, string, io.Reader, int64, driver.PutOptions) (driver.Info, error) {
	return driver.Info{}, w.do()
}
func (w wild) Stat(context.Context, string) (driver.Info, error) { return driver.Info{}, w.do() }
func (w wild) List(context.Context, string, string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) { yield(driver.Info{}, w.do()) }
}
func (w wild) Delete(context.Context, string) error { return w.do() }
func (w wild) Close() error                         { return w.do() }

// endless is an error whose cause is itself.
type endless struct{}

func (e *endless) Error() string { return "endless" }
func (e *endless) Unwrap() error { return e }

func TestAWildDriver(t *testing.T) {
	for name, do := range map[string]func() error{
		"panics":                     func() error { panic("at the driver") },
		"a nil pointer as its error": func() error { var e *driver.Error; return e },
		"an error without an end":    func() error { return &endless{} },
	} {
		t.Run(name, func(t *testing.T) {
			s := blob.New("wild://root", wild{do})
			ctx := t.Context()
			_, _, readErr := s.ReadAll(ctx, "k", nil)
			_, _, getErr := s.Get(ctx, "k", blob.Range{})
			_, putErr := s.PutBytes(ctx, "k", nil, blob.PutOptions{})
			_, statErr := s.Stat(ctx, "k")
			var listErr error
			for _, err := range s.List(ctx, "k", "") {
				listErr = err
			}
			for op, err := range map[string]error{"read": readErr, "get": getErr, "put": putErr, "stat": statErr, "list": listErr, "delete": s.Delete(ctx, "k")} {
				e, ok := errors.AsType[*blob.Error](err)
				if !ok || e.Kind != blob.Other || !strings.Contains(err.Error(), "wild://root/k") {
					t.Errorf("%s: %T %v", op, err, err)
				}
				if errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", op, err)
				}
			}
			if err := s.Close(); err == nil {
				t.Error("close: no error")
			}
		})
	}
	s := blob.New("wild://root", wild{func() error { return nil }})
	if _, _, err := s.ReadAll(t.Context(), "k", nil); err == nil || !strings.Contains(err.Error(), "neither a body nor an error") {
		t.Errorf("no body: %v", err)
	}
	if _, _, err := s.Get(t.Context(), "k", blob.Range{}); err == nil || !strings.Contains(err.Error(), "neither a body nor an error") {
		t.Errorf("no body: %v", err)
	}
	// The loop's own panic is not the driver's.
	defer func() {
		if p := recover(); p != "in the loop" {
			t.Errorf("the loop panicked with %v", p)
		}
	}()
	for range s.List(t.Context(), "k", "") {
		panic("in the loop")
	}
}
