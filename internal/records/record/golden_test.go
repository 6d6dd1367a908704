package record

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// Bytes that were written once must be written, and read, the same for ever.
func TestGolden(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.file, func(t *testing.T) {
			sealed, err := Seal(s.kind, s.header, s.body)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", s.file+".mops1")
			if *update {
				if err := os.WriteFile(path, sealed, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(sealed, golden) {
				t.Errorf("Seal writes another format than before; this is what mops1 readers cannot read\n got %q\nwant %q", sealed, golden)
			}
			record, err := Open(s.kind, golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(record.Body, s.body) {
				t.Errorf("body %q, want %q", record.Body, s.body)
			}
			decoded := reflect.New(reflect.TypeOf(s.header))
			if err := record.Into(decoded.Interface()); err != nil {
				t.Fatal(err)
			}
			if got := decoded.Elem().Interface(); !reflect.DeepEqual(got, s.header) {
				t.Errorf("header\n got %+v\nwant %+v", got, s.header)
			}
		})
	}
}

// The header is one line, and begins as Check expects.
func TestHeaderLine(t *testing.T) {
	for _, s := range samples()[:3] {
		sealed, err := Seal(s.kind, s.header, s.body)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitN(sealed, []byte("\n"), 3)
		if !json.Valid(lines[1]) {
			t.Errorf("%s: line 2 is not one JSON value: %q", s.kind, lines[1])
		}
		if id, ok := scan(lines[1], sampleKey); !ok || id != "2611231412-SkirtBus" {
			t.Errorf("%s: the scan does not find memo key and run id in %q", s.kind, lines[1])
		}
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	var h ResultHeader
	record := Record{Header: []byte(`{"memo_key":"k","run_id":"r","of_tomorrow":{"a":[1]},"function":"f","run":{"more":1,"host":"h"}}`)}
	if err := record.Into(&h); err != nil {
		t.Fatal(err)
	}
	if h.MemoKey != "k" || h.RunID != "r" || h.Function != "f" || h.Run.Host != "h" {
		t.Errorf("decoded %+v", h)
	}
}
