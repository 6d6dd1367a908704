package s3blob

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// page is one of S3's listings (Amazon S3 API Reference, ListObjectsV2). Names
// are encoded as for a URL if the request asks for that.
func page(next string, names ...string) faultproxy.Fault {
	body := "<ListBucketResult><EncodingType>url</EncodingType>"
	if next != "" {
		body += "<IsTruncated>true</IsTruncated><NextContinuationToken>" + next + "</NextContinuationToken>"
	}
	for _, name := range names {
		body += "<Contents><Key>a/root/" + name + `</Key><LastModified>2026-01-01T00:00:00.123Z</LastModified><ETag>"0123"</ETag><Size>7</Size></Contents>`
	}
	return faultproxy.Answer(200, http.Header{"Content-Type": {"application/xml"}}, body+"</ListBucketResult>")
}

func TestListPages(t *testing.T) {
	s, proxy := behind(t)
	token := func(want string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.URL.Query().Get("continuation-token") == want }
	}
	proxy.Strike(-1, page("second", "a", "folder/", "control%01", "double//slash", "plus%2Bspace+percent%25"), token(""))
	proxy.Strike(-1, page("third"), token("second")) // S3 may send fewer than there are, also none
	proxy.Strike(-1, page("", "z%C3%A4"), token("third"))
	want := []string{"a", "plus+space percent%", "zä"}
	if got := keys(t, s); !slices.Equal(got, want) {
		t.Errorf("there are listed %q, and should be %q", got, want)
	}
	if n := proxy.Requests(); n != 3 {
		t.Errorf("%d requests were sent for three pages", n)
	}
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil || info.ModTime.Nanosecond() != 0 || info.Version != "0123" || info.Size != 7 {
			t.Errorf("%+v (%v)", info, err)
		}
	}
}

// A page does for a thousand blobs, and a list that starts late reads no more.
func TestListRequests(t *testing.T) {
	s, proxy := behind(t)
	const n = 1010
	for i := range n {
		mustPut(t, s, fmt.Sprintf("%04d", i), "x")
	}
	proxy.Reset()
	if got := keys(t, s); len(got) != n || !slices.IsSorted(got) {
		t.Errorf("%d blobs are listed", len(got))
	}
	if n := proxy.Requests(); n != 2 {
		t.Errorf("%d requests were sent", n)
	}
	listed := 0
	for info, err := range s.List(t.Context(), "", "1005") {
		if err != nil || info.Key != fmt.Sprint(1005+listed) {
			t.Errorf("%+v (%v)", info, err)
		}
		listed++
	}
	if listed != 5 || proxy.Requests() != 3 {
		t.Errorf("from 1005 on there are listed %d, with %d requests", listed, proxy.Requests()-2)
	}
}
