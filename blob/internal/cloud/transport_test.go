package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// A request that makes no progress ends, wherever it got stuck, and not before it
// made none for so long.
func TestStall(t *testing.T) {
	never := func(r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		body  io.Reader
		after time.Duration
	}{
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { never(r) }, nil, DefaultStall},
		"no answer to a body": {func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); never(r) },
			strings.NewReader("content"), DefaultStall},
		"half an answer": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			never(r)
		}, nil, DefaultStall},
		"an answer that was slow before": {func(w http.ResponseWriter, r *http.Request) {
			for range 10 {
				time.Sleep(DefaultStall - time.Second)
				io.WriteString(w, "x")
				http.NewResponseController(w).Flush()
			}
			never(r)
		}, nil, 10*(DefaultStall-time.Second) + DefaultStall},
		"half a body": {func(_ http.ResponseWriter, r *http.Request) { io.CopyN(io.Discard, r.Body, 100); never(r) },
			strings.NewReader(strings.Repeat("x", 1<<20)), DefaultStall},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				serve(t, c.serve)
				transport := &Transport{}
				start := time.Now()
				_, err := get(t.Context(), transport, c.body)
				if took := time.Since(start); took != c.after {
					t.Errorf("it ended after %v rather than %v", took, c.after)
				}
				if stalled, ok := errors.AsType[*Stalled](err); !ok || !stalled.Timeout() {
					t.Fatalf("it ended with %v", err)
				}
				if err := transport.Failure(err); !blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), "stalled") {
					t.Errorf("that became %v", err)
				}
			})
		})
	}
}

// Time that our side takes is not the network's fault, nor is a trickle.
func TestSlowIsNotStalled(t *testing.T) {
	const content = "some content"
	echo := func(w http.ResponseWriter, r *http.Request) {
		if data, _ := io.ReadAll(r.Body); len(data) > 0 {
			w.Write(data)
			return
		}
		io.WriteString(w, content)
	}
	for name, run := range map[string]func(context.Context, *Transport) (string, error){
		"producer": func(ctx context.Context, t *Transport) (string, error) {
			return get(ctx, t, slowly{strings.NewReader(content), 10 * DefaultStall})
		},
		"consumer": func(ctx context.Context, t *Transport) (string, error) {
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://store.example/", nil)
			response, err := t.Client().Do(r)
			if err != nil {
				return "", err
			}
			defer response.Body.Close()
			data, err := io.ReadAll(slowly{response.Body, 10 * DefaultStall})
			return string(data), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				serve(t, echo)
				if got, err := run(t.Context(), &Transport{}); got != content || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
	t.Run("upload", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			serve(t, func(_ http.ResponseWriter, r *http.Request) {
				for n := int64(1); n > 0; {
					time.Sleep(DefaultStall / 2)
					n, _ = io.CopyN(io.Discard, r.Body, 32<<10)
				}
			})
			if _, err := get(t.Context(), &Transport{}, strings.NewReader(strings.Repeat("x", 1<<20))); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("trickle", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			serve(t, func(w http.ResponseWriter, r *http.Request) {
				for _, b := range []byte(content) {
					time.Sleep(DefaultStall - time.Second)
					w.Write([]byte{b})
					http.NewResponseController(w).Flush()
				}
			})
			if got, err := get(t.Context(), &Transport{}, nil); got != content || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	})
}

// The caller may use a buffer again when the request has ended, though net/http may
// not have noticed yet.
func TestBodyIsNotReadAfterTheEnd(t *testing.T) {
	w := newWatch(func(error) {}, time.Hour)
	began, goOn := make(chan struct{}), make(chan struct{})
	r, _ := http.NewRequest(http.MethodPut, "http://store.example/", readerFunc(func(p []byte) (int, error) {
		close(began)
		<-goOn
		return copy(p, "x"), nil
	}))
	body := w.request(r).Body
	read := make(chan error, 1)
	go func() { _, err := body.Read(make([]byte, 10)); read <- err }()
	<-began
	ended := make(chan struct{})
	go func() { w.end(); close(ended) }()
	select {
	case <-ended:
		t.Error("the request ended while its body was read")
	default:
	}
	close(goOn)
	<-ended
	if err := <-read; err != nil {
		t.Errorf("the read under way ended with %v", err)
	}
	if n, err := body.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("%d bytes were read behind the end, %v", n, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// The end of the caller's context is its own error, and not a stall or a failure.
func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		transport := &Transport{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := get(ctx, transport, nil)
		if err = transport.Failure(err); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "secret") {
			t.Errorf("it ended with %v", err)
		}
	})
}
