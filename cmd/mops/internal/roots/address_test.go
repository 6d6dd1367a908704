package roots

import (
	"path/filepath"
	"testing"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"

	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
)

func TestAddresses(t *testing.T) {
	usual := "file://" + filepath.ToSlash(t.TempDir())
	a := &cli.App{Lookup: func(name string) (string, bool) { return usual, name == "MOPS_ROOT" }}
	call := "mops1/p/shop/trade@1/acorn-attic-cabin.0001f1a05f492e1f79b02d1afcdd36db1980867c2cb79215f23634de6bc9de61"
	for text, want := range map[string]struct {
		kind Kind
		root string
		path string
	}{
		usual:                        {KindRoot, usual, ""},
		usual + "/mops1":             {KindRoot, usual, ""},
		"mops1":                      {KindRoot, usual, ""},
		"mops1/p":                    {KindGroup, usual, "mops1/p"},
		"mops1/p/shop/":              {KindGroup, usual, "mops1/p/shop"},
		"mops1/p/shop/trade@1":       {KindFunction, usual, "mops1/p/shop/trade@1"},
		call:                         {KindCall, usual, call},
		"file:///x/mops1/y/" + call:  {KindCall, "file:///x/mops1/y", call},
		"/x/" + call + "/result":     {KindRecord, "file:///x", call + "/result"},
		call + "/runs/2611.json":     {KindRecord, usual, call + "/runs/2611.json"},
		"mops1-sessions/abc":         {KindSession, usual, "mops1-sessions/abc"},
		"mops1-blobs/sha256/ab":      {KindBlob, usual, "mops1-blobs/sha256/ab"},
		"file:///x/mops1-sessions/a": {KindSession, "file:///x", "mops1-sessions/a"},
		"/x y":                       {KindRoot, "file:///x%20y", ""},
		// Parameters may stand behind the root, or at the end as in a URL.
		"s3://box/r?region=eu-1":                                {KindRoot, "s3://box/r", ""},
		"s3://box/r/" + call + "?region=eu-1":                   {KindCall, "s3://box/r", call},
		"s3://box/r?region=eu-1/" + call:                        {KindCall, "s3://box/r", call},
		"s3://box/r/mops1/p/shop?endpoint=http://h:1&region=eu": {KindGroup, "s3://box/r", "mops1/p/shop"},
	} {
		x, err := Resolve(t.Context(), a, text)
		if err != nil || x.Kind != want.kind || x.Store.Root() != want.root || x.Path != want.path {
			t.Errorf("%s: %+v, %v; want %+v", text, x, err, want)
		}
	}
	for _, wrong := range []string{"", "nothing", "mops1/../x", "mops1/p/a@1/\x00"} {
		if x, err := Resolve(t.Context(), a, wrong); err == nil {
			t.Errorf("%q is taken for %+v", wrong, x)
		}
	}
}
