package faultproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

func TestFaults(t *testing.T) {
	body := strings.Repeat("0123456789", 1000)
	for name, c := range map[string]struct {
		fault   faultproxy.Fault
		status  int    // 0: the request fails
		body    string // that came, or its beginning
		broken  bool   // in the middle of the body
		stalls  bool   // until the client leaves
		reached bool   // the server
	}{
		"Answer":        {faultproxy.Answer(503, http.Header{"retry-after": {"1"}}, "slow down"), 503, "slow down", false, false, false},
		"Drop":          {faultproxy.Drop(), 0, "", false, false, false},
		"LoseAnswer":    {faultproxy.LoseAnswer(), 0, "", false, false, true},
		"ReplaceAnswer": {faultproxy.ReplaceAnswer(500, nil, "sorry"), 500, "sorry", false, false, true},
		"Stall":         {faultproxy.Stall(), 0, "", false, true, false},
		"StallAfter":    {faultproxy.StallAfter(4321), 200, body[:4321], true, true, true},
		"CutAfter":      {faultproxy.CutAfter(4321), 200, body[:4321], true, false, true},
		"FlipAt":        {faultproxy.FlipAt(3), 200, "0122456789", false, false, true},
		"FlipBit":       {faultproxy.FlipBit(func(bits int) int { return bits - 8 }), 200, body[:9999] + "8", false, false, true},
		"Delay":         {faultproxy.Delay(time.Millisecond), 200, body, false, false, true},
	} {
		try := func(t *testing.T, expect string) {
			var served atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				served.Add(1)
				io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, body)
			}))
			defer server.Close()
			proxy := faultproxy.New(t, server.URL)
			proxy.Strike(1, c.fault, faultproxy.Method("POST"))
			get, err := http.Get(proxy.URL)
			if err != nil {
				t.Fatal(err)
			}
			get.Body.Close()
			served.Store(0)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			leaveSoon := func() {
				if c.stalls {
					time.AfterFunc(300*time.Millisecond, leave)
				}
			}
			if c.status == 0 {
				leaveSoon()
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, proxy.URL, strings.NewReader("sent"))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Expect", expect)
			response, err := http.DefaultClient.Do(request)
			if reached := served.Load() > 0; reached != c.reached {
				t.Errorf("the server was reached: %t", reached)
			}
			if c.status == 0 {
				if err == nil {
					t.Errorf("it was answered, with %s", response.Status)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			got := make([]byte, len(c.body))
			n, err := io.ReadFull(response.Body, got)
			if got = got[:n]; err == nil {
				leaveSoon()
				var more []byte
				more, err = io.ReadAll(response.Body)
				got = append(got, more...)
			}
			if response.StatusCode != c.status || !strings.HasPrefix(string(got), c.body) || (err != nil) != c.broken {
				t.Errorf("%s, %d bytes (%.20q), %v", response.Status, len(got), got, err)
			}
			if c.broken && len(got) != len(c.body) {
				t.Errorf("%d bytes came, and %d should", len(got), len(c.body))
			}
		}
		t.Run(name, func(t *testing.T) { try(t, "") })
		t.Run(name+"AfterContinue", func(t *testing.T) { try(t, "100-continue") })
	}
}
