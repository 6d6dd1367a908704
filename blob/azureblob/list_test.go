package azureblob

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

func keysOf(t *testing.T, s *blob.Store, prefix, startAt string) (keys []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), prefix, startAt) {
		if err != nil {
			t.Fatalf("list of %q from %q on: %v", prefix, startAt, err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func wanted(keys []string, prefix, startAt string) (want []string) {
	for _, key := range keys {
		if strings.HasPrefix(key, prefix) && key >= startAt {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	return want
}

// Lists go over many pages, and begin at the right name without the pages
// before it.
func TestPages(t *testing.T) {
	uri, proxy := emulator.Azurite(t).Behind(t)
	s := openRoot(t, under(uri, "a-root/path"))
	driverOf(s).pageSize = 7
	var keys []string
	for i := range 60 {
		keys = append(keys, fmt.Sprintf("%d/%d-%d", i%2, i/10, i))
		if _, err := s.PutBytes(t.Context(), keys[i], nil, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix, startAt string
		pages           int
	}{{"", "", 9}, {"0/", "", 5}, {"1/", "1/4-45", 2}, {"1/5-", "", 1}, {"1/", "1/5-59", 1}, {"1/", "1/6", 1}, {"1/", "0/", 5}, {"0/", "1/", 0}, {"", "1/5-58", 1}} {
		proxy.Reset()
		if got, want := keysOf(t, s, c.prefix, c.startAt), wanted(keys, c.prefix, c.startAt); !slices.Equal(got, want) {
			t.Errorf("with prefix %q from %q on there are listed %q rather than %q", c.prefix, c.startAt, got, want)
		}
		if got := proxy.Requests(); got > c.pages+1 { // one to learn of the namespace, once
			t.Errorf("with prefix %q from %q on it took %d requests", c.prefix, c.startAt, got)
		}
	}
	// A list that breaks goes on where it was.
	proxy.Reset()
	proxy.Strike(3, faultproxy.Drop(), func(r *http.Request) bool { return r.URL.Query().Get("marker") != "" })
	if got, want := keysOf(t, blob.Retry(s, quick), "", ""), wanted(keys, "", ""); !slices.Equal(got, want) {
		t.Errorf("interrupted, there are listed %q", got)
	}
}
