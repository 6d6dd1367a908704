package s3blob

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// without lets a service ignore a condition.
func without(header string) faultproxy.Fault {
	return func(_ http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		r.Header.Del(header)
		pass(nil)
	}
}

func keys(t *testing.T, s *blob.Store) (all []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}

func TestProbe(t *testing.T) {
	whole, parts := operations["absent"], func(ctx context.Context, s *blob.Store) error {
		_, err := s.Put(ctx, "key", zeros(part+1), part+1, blob.PutOptions{IfAbsent: true})
		return err
	}
	put := faultproxy.Method(http.MethodPut)
	for name, c := range map[string]struct {
		put   func(context.Context, *blob.Store) error
		fault faultproxy.Fault
		match func(*http.Request) bool
		text  string // "": the service is good
	}{
		"Good":              {whole, nil, nil, ""},
		"GoodParts":         {parts, nil, nil, ""},
		"IfNoneMatch":       {whole, without("If-None-Match"), put, "ignores the condition If-None-Match"},
		"IfMatch":           {whole, without("If-Match"), put, "takes the condition If-Match for met"},
		"PartsIfNoneMatch":  {parts, without("If-None-Match"), isComplete, "ignores the condition If-None-Match: * for objects in parts"},
		"PartsIfMatch":      {parts, without("If-Match"), isComplete, "ignores the condition If-Match for objects in parts"},
		"RefusesRightETag":  {whole, emulator.S3Error(412, "PreconditionFailed", "no"), hasETag, "refuses the condition If-Match with the right ETag"},
		"RefusesIfAbsent":   {whole, emulator.S3Error(412, "PreconditionFailed", "no"), isAbsent, "refuses the condition If-None-Match"},
		"IfMatchIfThere":    {whole, without("If-Match"), ifThere(), "ignores the condition If-Match"},
		"KnowsNoConditions": {whole, emulator.S3Error(501, "NotImplemented", "A header you provided implies functionality that is not implemented"), put, "not implemented"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, proxy := emulator.S3(t).Behind(t)
			s := mustOpen(t, uri)
			if c.fault != nil {
				proxy.Strike(-1, c.fault, c.match)
			}
			for range 2 {
				err := c.put(t.Context(), s)
				if c.text == "" && err != nil && !blob.Is(err, blob.Exists) || c.text != "" && (!blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), c.text)) {
					t.Errorf("%v, and should say %q", err, c.text)
				}
			}
			if c.text != "" && c.fault != nil && name != "KnowsNoConditions" {
				before := proxy.Requests()
				if c.put(t.Context(), s); proxy.Requests() != before {
					t.Error("it was probed again")
				}
			}
			want := 0
			if c.text == "" {
				want = 1
			}
			proxy.Reset()
			if left := keys(t, s); len(left) != want {
				t.Errorf("it left behind %q", left)
			}
			if n := leftovers(t, s); n != 0 {
				t.Errorf("the parts of %d uploads are left", n)
			}
		})
	}
}

func hasETag(r *http.Request) bool {
	return r.Header.Get("If-Match") != "" && !strings.Contains(r.Header.Get("If-Match"), noVersion)
}

func isAbsent(r *http.Request) bool { return r.Header.Get("If-None-Match") != "" }

// ifThere matches a swap of a wrong version once there is an object.
func ifThere() func(*http.Request) bool {
	there := map[string]bool{} // by object; each probe has its own
	return func(r *http.Request) bool {
		there[r.URL.Path] = there[r.URL.Path] || isAbsent(r)
		return there[r.URL.Path] && strings.Contains(r.Header.Get("If-Match"), noVersion)
	}
}

// One probe is enough for all puts at one time, and there is none without need.
func TestProbeOnce(t *testing.T) {
	uri, proxy := emulator.S3(t).Behind(t)
	s := mustOpen(t, uri)
	mustPut(t, s, "key", "x")
	if n := proxy.Requests(); n != 1 {
		t.Errorf("a put without conditions took %d requests", n)
	}
	proxy.Reset()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { s.PutBytes(t.Context(), "key", []byte("y"), blob.PutOptions{IfAbsent: true}) })
	}
	wg.Wait()
	if n := proxy.Requests(); n != 5+1+16 {
		t.Errorf("there were %d requests", n)
	}
}

// An error that hinders a probe is no verdict; and callers that wait for it may
// leave.
func TestProbeIsHindered(t *testing.T) {
	uri, proxy := emulator.S3(t).Behind(t)
	s := mustOpen(t, uri)
	proxy.Strike(1, emulator.S3Error(503, "SlowDown", "Please reduce your request rate."), isAbsent)
	if err := operations["absent"](t.Context(), s); !blob.Is(err, blob.Throttled) {
		t.Error(err)
	}
	proxy.Strike(1, faultproxy.LoseAnswer(), isAbsent)
	if err := operations["absent"](t.Context(), blob.Retry(s, quick)); err != nil {
		t.Error(err)
	}

	uri, proxy = emulator.S3(t).Behind(t)
	s = mustOpen(t, uri)
	began := make(chan struct{})
	proxy.Strike(1, faultproxy.Stall(), func(*http.Request) bool { close(began); return true })
	first, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { operations["absent"](first, s) })
	<-began
	second, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := operations["absent"](second, s); err != context.DeadlineExceeded {
		t.Errorf("who waits: %v", err)
	}
	stop()
	wg.Wait()
	if err := operations["absent"](t.Context(), s); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A good verdict goes along with the address, to workers; a bad one does not.
func TestVerdictTravels(t *testing.T) {
	uri, proxy := emulator.S3(t).Behind(t)
	first := mustOpen(t, uri)
	if strings.Contains(first.Address(), "conditions") {
		t.Errorf("it is known from the start: %s", first.Address())
	}
	put := func(s *blob.Store, key string) {
		t.Helper()
		if _, err := s.PutBytes(t.Context(), key, nil, blob.PutOptions{IfAbsent: true}); err != nil {
			t.Fatal(err)
		}
	}
	put(first, "first")
	second := mustOpen(t, first.Address())
	before := proxy.Requests()
	put(second, "second")
	if n := proxy.Requests() - before; n != 1 {
		t.Errorf("a put by who was told took %d requests, by %s", n, first.Address())
	}
	if second.Root() != first.Root() {
		t.Errorf("the root %s became %s", first.Root(), second.Root())
	}
	proxy.Strike(-1, without("If-None-Match"), faultproxy.Method(http.MethodPut))
	third := mustOpen(t, uri)
	if _, err := third.PutBytes(t.Context(), "third", nil, blob.PutOptions{IfAbsent: true}); err == nil || strings.Contains(third.Address(), "conditions") {
		t.Errorf("%v, and the address is %s", err, third.Address())
	}
}
