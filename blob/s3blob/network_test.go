package s3blob

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// flipSent inverts a bit of byte n of the client's request.
func flipSent(n int) faultproxy.Fault {
	return func(_ http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		r.Body = &flipped{r.Body, n}
		pass(nil)
	}
}

type flipped struct {
	io.ReadCloser
	at int
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if 0 <= f.at && f.at < n {
		p[f.at] ^= 1
	}
	f.at -= n
	return n, err
}

// stallUnread stalls without reading the request.
func stallUnread(_ http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// A fault on the way that happens once is tried again; one that goes on
// happening is an error of that kind. None of it becomes data.
func TestTrouble(t *testing.T) {
	content := pattern(4 << 20)
	read := func(ctx context.Context, s *blob.Store) error {
		got, _, err := s.ReadAll(ctx, "there", nil)
		if err == nil && string(got) != content {
			return fmt.Errorf("%d other bytes were read", len(got))
		}
		return err
	}
	stream := func(ctx context.Context, s *blob.Store) error {
		body, _, err := s.Get(ctx, "there", blob.Range{})
		if err != nil {
			return err
		}
		defer body.Close()
		got, err := io.ReadAll(body)
		if err == nil && string(got) != content {
			return fmt.Errorf("%d other bytes were read", len(got))
		}
		return err
	}
	write := func(ctx context.Context, s *blob.Store) error {
		_, err := s.Put(ctx, "new", strings.NewReader(content), int64(len(content)), blob.PutOptions{IfAbsent: true})
		return err
	}
	for name, c := range map[string]struct {
		fault faultproxy.Fault
		do    func(context.Context, *blob.Store) error
		kind  blob.Kind
		final bool // even if it happens only once
	}{
		"StallBeforeAnswer": {faultproxy.Stall(), read, blob.Unavailable, false},
		"StallInRead":       {faultproxy.StallAfter(1 << 20), read, blob.Unavailable, false},
		"StallInStream":     {faultproxy.StallAfter(1 << 20), stream, blob.Unavailable, false},
		"StallInWrite":      {stallUnread, write, blob.Unavailable, false},
		"StallAfterWrite":   {faultproxy.Stall(), write, blob.Unavailable, false},
		"Drop":              {faultproxy.Drop(), read, blob.Unavailable, false},
		"DropWrite":         {faultproxy.Drop(), write, blob.Unavailable, false},
		"Cut":               {faultproxy.CutAfter(1 << 20), read, blob.Unavailable, false},
		"CutStream":         {faultproxy.CutAfter(1 << 20), stream, blob.Unavailable, false},
		"CutInHeader":       {faultproxy.CutAfter(0), read, blob.Unavailable, false},
		"Flip":              {faultproxy.FlipAt(12345), read, blob.Corrupt, false},
		"FlipAtTheEnd":      {faultproxy.FlipAt(len(content) - 1), read, blob.Corrupt, false},
		"FlipStream":        {faultproxy.FlipAt(12345), stream, blob.Corrupt, true},
		"FlipWrite":         {flipSent(12345), write, blob.Unavailable, false},
		"LoseAnswer":        {faultproxy.LoseAnswer(), write, blob.Unavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy := behind(t)
			mustPut(t, s, "there", content)
			stall, patient := time.Duration(0), quick
			if strings.HasPrefix(name, "Stall") {
				stall, patient.Tries = time.Second, 100 // a machine under load may stall by itself
			}
			method := http.MethodPut
			if c.kind == blob.Corrupt || !strings.Contains(name, "Write") && name != "LoseAnswer" {
				method = http.MethodGet
			}
			proxy.Strike(2, c.fault, faultproxy.Method(method)) // net/http tries a GET again where an idle connection breaks
			s.Driver().(*store).transport.Stall = stall
			if err := c.do(t.Context(), s); !blob.Is(err, c.kind) {
				t.Errorf("bare: %v", err)
			}
			proxy.Reset()
			s.Driver().(*store).transport.Stall = 0
			if err := s.Delete(t.Context(), "new"); err != nil {
				t.Fatal(err)
			}
			proxy.Strike(1, c.fault, faultproxy.Method(method))
			s.Driver().(*store).transport.Stall = stall
			if err := c.do(t.Context(), blob.Retry(s, patient)); (err != nil) != c.final || c.final && !blob.Is(err, c.kind) {
				t.Errorf("with retries: %v", err)
			}
			s.Driver().(*store).transport.Stall = 0
			if method == http.MethodPut {
				expect(t, s, "new", content)
			}
		})
	}
}

// A put that was carried out, and whose answer was lost, has succeeded.
func TestLostAcknowledgement(t *testing.T) {
	bare, proxy := behind(t)
	s := blob.Retry(bare, quick)
	proxy.Strike(1, faultproxy.LoseAnswer(), faultproxy.Method(http.MethodPut))
	info, err := s.PutBytes(t.Context(), "key", []byte("first"), blob.PutOptions{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	proxy.Strike(1, faultproxy.LoseAnswer(), faultproxy.Method(http.MethodPut))
	info, err = s.PutBytes(t.Context(), "key", []byte("second"), blob.PutOptions{IfVersion: info.Version})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutBytes(t.Context(), "key", []byte("third"), blob.PutOptions{IfVersion: info.Version}); err != nil {
		t.Error(err)
	}
	expect(t, s, "key", "third")
}

func TestReplacedWhileRead(t *testing.T) {
	bare, proxy := behind(t)
	s := blob.Retry(bare, quick)
	mustPut(t, s, "key", pattern(1<<20))
	proxy.Strike(1, faultproxy.CutAfter(1<<19), faultproxy.Method(http.MethodGet))
	body, _, err := s.Get(t.Context(), "key", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	mustPut(t, s, "key", strings.Repeat("x", 1<<20))
	if _, err := io.Copy(io.Discard, body); !blob.Is(err, blob.Mismatch) {
		t.Errorf("reading on: %v", err)
	}
}

func TestBucketIsDeleted(t *testing.T) {
	s, _ := behind(t)
	mustPut(t, s, "key", "x")
	if err := s.Delete(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	d := s.Driver().(*store)
	if _, err := d.client.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &d.address.Host}); err != nil {
		t.Fatal(err)
	}
	for name, operation := range operations {
		if name == "clock" {
			continue
		}
		if err := operation(t.Context(), s); !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "no bucket "+d.address.Host) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Thousands of calls side by side use the same connections.
func TestConnectionsAreReused(t *testing.T) {
	const side, gets = 64, 2048
	s, sink := newSink(t, 1000)
	var wg sync.WaitGroup
	for range side {
		wg.Go(func() {
			for range gets / side {
				if _, _, err := s.ReadAll(t.Context(), "key", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sink.mu.Lock()
	defer sink.mu.Unlock()
	// Net/http dials while it waits for another's connection, and under load waits often.
	if t.Logf("%d connections were opened for %d calls side by side", sink.connections, side); sink.connections > gets/4 {
		t.Error("that is too many")
	}
}

func TestClock(t *testing.T) {
	s, proxy := behind(t)
	began := time.Now() // the clock is late by less than a second and the way of the first answer
	for range 3 {
		now, ok, err := s.Now(t.Context())
		if err != nil || !ok || now.After(time.Now()) || now.Before(began.Add(-time.Second)) {
			t.Errorf("it is %v (%t, %v), some time after %v", now, ok, err, began)
		}
	}
	if n := proxy.Requests(); n != 1 {
		t.Errorf("%d requests were sent for the time", n)
	}
}
