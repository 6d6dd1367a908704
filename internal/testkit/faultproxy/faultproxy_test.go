package faultproxy_test

import (
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
		reached bool   // the server
	}{
		"Answer":        {faultproxy.Answer(503, http.Header{"retry-after": {"1"}}, "slow down"), 503, "slow down", false, false},
		"Drop":          {faultproxy.Drop(), 0, "", false, false},
		"LoseAnswer":    {faultproxy.LoseAnswer(), 0, "", false, true},
		"ReplaceAnswer": {faultproxy.ReplaceAnswer(500, nil, "sorry"), 500, "sorry", false, true},
		"Stall":         {faultproxy.Stall(), 0, "", false, false},
		"StallAfter":    {faultproxy.StallAfter(4321), 200, body[:4321], true, true},
		"CutAfter":      {faultproxy.CutAfter(4321), 200, body[:4321], true, true},
		"FlipAt":        {faultproxy.FlipAt(3), 200, "0122456789", false, true},
		"FlipBit":       {faultproxy.FlipBit(func(bits int) int { return bits - 8 }), 200, body[:9999] + "8", false, true},
		"Delay":         {faultproxy.Delay(time.Millisecond), 200, body, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			var served atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				served.Add(1)
				fmt.Fprint(w, body)
			}))
			defer server.Close()
			proxy := faultproxy.New(t, server.URL)
			proxy.Strike(1, c.fault, faultproxy.Method("POST"))
			client := http.Client{Timeout: 300 * time.Millisecond}
			get, err := client.Get(proxy.URL)
			if err != nil {
				t.Fatal(err)
			}
			get.Body.Close()
			served.Store(0)
			response, err := client.Post(proxy.URL, "text/plain", strings.NewReader("sent"))
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
			got, err := io.ReadAll(response.Body)
			if response.StatusCode != c.status || !strings.HasPrefix(string(got), c.body) || (err != nil) != c.broken {
				t.Errorf("%s, %d bytes (%.20q), %v", response.Status, len(got), got, err)
			}
			if c.broken && len(got) != len(c.body) {
				t.Errorf("%d bytes came, and %d should", len(got), len(c.body))
			}
		})
	}
}
