package azureblob

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

// account holds empty blobs, and answers lists and questions for single blobs.
// Azurite knows no hierarchical namespaces;
// https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues
// (lists hold folders) and
// https://github.com/Azure/azure-sdk-for-go/issues/24210 (their order) describe
// what they do differently.
type account struct {
	hierarchical bool
	entries      []string // in its order; folders end with a slash
	requests     int
}

func newAccount(hierarchical bool, names []string) *account {
	a := &account{hierarchical: hierarchical, entries: slices.Clone(names)}
	if hierarchical {
		for _, name := range names {
			for i, c := range name {
				if c == '/' {
					a.entries = append(a.entries, name[:i+1])
				}
			}
		}
	}
	slices.SortFunc(a.entries, func(x, y string) int { return strings.Compare(a.rank(x), a.rank(y)) })
	a.entries = slices.Compact(a.entries)
	return a
}

// rank is what names are sorted by.
func (a *account) rank(name string) string {
	if a.hierarchical {
		return strings.ReplaceAll(strings.TrimSuffix(name, "/"), "/", "\x00")
	}
	return name
}

type xmlBlob struct {
	Name       string
	Properties struct {
		Modified string `xml:"Last-Modified"`
		Etag     string
		Length   int `xml:"Content-Length"`
	}
	Metadata struct {
		Folder string `xml:"hdi_isfolder,omitempty"`
	}
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.requests++
	mark(w.Header())
	const modified = "Wed, 25 Nov 2026 12:00:00 GMT"
	if name, ok := strings.CutPrefix(r.URL.Path, "/account/box/"); ok {
		switch {
		case slices.Contains(a.entries, name+"/"):
			w.Header().Set("x-ms-meta-hdi_isfolder", "true")
		case !slices.Contains(a.entries, name):
			refuse(w, 404, "BlobNotFound", "The specified blob does not exist.")
			return
		}
		w.Header().Set("ETag", `"0x1"`)
		w.Header().Set("Last-Modified", modified)
		w.Header().Set("Content-Length", "0")
		return
	}
	query := r.URL.Query()
	most, err := strconv.Atoi(query.Get("maxresults"))
	if err != nil {
		most = 5000
	}
	var page struct {
		XMLName    xml.Name  `xml:"EnumerationResults"`
		Blobs      []xmlBlob `xml:"Blobs>Blob"`
		NextMarker string
	}
	for _, entry := range a.entries {
		name := strings.TrimSuffix(entry, "/")
		if !strings.HasPrefix(name, query.Get("prefix")) || a.rank(name) < a.rank(query.Get("startFrom")) || a.rank(name) < a.rank(query.Get("marker")) {
			continue
		}
		if len(page.Blobs) == most {
			page.NextMarker = name
			break
		}
		var b xmlBlob
		b.Name, b.Properties.Modified, b.Properties.Etag = name, modified, "0x1"
		if name != entry {
			b.Metadata.Folder = "true"
		}
		page.Blobs = append(page.Blobs, b)
	}
	xml.NewEncoder(w).Encode(page)
}

// randomNames are valid keys, none of which lies below another.
func randomNames(r *rand.Rand, n int) (names []string) {
	const letters = "ab-./!0"
	for len(names) < n {
		name := make([]byte, 1+r.IntN(8))
		for i := range name {
			name[i] = letters[r.IntN(len(letters))]
		}
		key := string(name)
		if blob.ValidKey(key) != nil || slices.ContainsFunc(names, func(other string) bool {
			return other == key || strings.HasPrefix(other, key+"/") || strings.HasPrefix(key, other+"/")
		}) {
			continue
		}
		names = append(names, key)
	}
	return names
}

func TestByteOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 60 {
		keys := randomNames(r, 40)
		names := make([]string, len(keys))
		for i, key := range keys {
			names[i] = "path/" + key
		}
		for _, hierarchical := range []bool{false, true} {
			a := newAccount(hierarchical, names)
			s := service(t, a.ServeHTTP)
			driverOf(s).pageSize = int32(1 + r.IntN(12))
			for range 12 {
				prefix, startAt := keys[r.IntN(len(keys))], keys[r.IntN(len(keys))]
				prefix, startAt = prefix[:r.IntN(min(len(prefix), 4))], startAt[:r.IntN(len(startAt)+1)]
				if got, want := keysOf(t, s, prefix, startAt), wanted(keys, prefix, startAt); !slices.Equal(got, want) {
					t.Fatalf("round %d, hierarchical %t, pages of %d: with prefix %q from %q on there are listed\n%q rather than\n%q",
						round, hierarchical, driverOf(s).pageSize, prefix, startAt, got, want)
				}
			}
		}
	}
}

// The order costs little if there is nothing to put in order.
func TestCostOfOrder(t *testing.T) {
	var names []string
	for i := range 3000 {
		names = append(names, fmt.Sprintf("path/mops1/pipeline/train@%d/three-short-words.%04d/result", i%3, i), fmt.Sprintf("path/mops1/pipeline/train@%d/three-short-words.%04d/lease", i%3, i))
	}
	for hierarchical, most := range map[bool]int{false: 60 + 1, true: 90 + 60*3 + 1} { // a question for each folder that a page does not hold
		a := newAccount(hierarchical, names)
		s := service(t, a.ServeHTTP)
		driverOf(s).pageSize = 100
		if got := keysOf(t, s, "", ""); len(got) != 6000 || !slices.IsSorted(got) {
			t.Errorf("%d blobs are listed", len(got))
		}
		if a.requests > most {
			t.Errorf("hierarchical %t: 6,000 blobs in pages of 100 took %d requests", hierarchical, a.requests)
		}
		// To skip a folder, nothing in it has to be read.
		a.requests = 0
		for range s.List(t.Context(), "mops1/pipeline/", "mops1/pipeline/train@10") {
			break
		}
		if a.requests > 8 {
			t.Errorf("hierarchical %t: the third folder was found with %d requests", hierarchical, a.requests)
		}
	}
}

// Folders of a hierarchical namespace are no blobs.
func TestFolders(t *testing.T) {
	s := service(t, newAccount(true, []string{"path/folder/blob"}).ServeHTTP)
	if _, err := s.Stat(t.Context(), "folder"); !blob.Is(err, blob.NotFound) {
		t.Errorf("a folder is a blob: %v", err)
	}
	if _, _, err := s.ReadAll(t.Context(), "folder", nil); !blob.Is(err, blob.NotFound) {
		t.Errorf("a folder is read: %v", err)
	}
	if _, err := s.Stat(t.Context(), "folder/blob"); err != nil {
		t.Error(err)
	}
	if got := keysOf(t, s, "", ""); !slices.Equal(got, []string{"folder/blob"}) {
		t.Errorf("there are listed %q", got)
	}
}
