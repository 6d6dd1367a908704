package memo_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// The header of a result is read without the output, however long either is.
func TestResultHeader(t *testing.T) {
	store := blob.New("mem://test", memblob.New())
	for name, c := range map[string]struct {
		note, body int
		damage     func([]byte) []byte
		err        error
	}{
		"short":         {10, 10, nil, nil},
		"long output":   {10, 1 << 20, nil, nil},
		"long header":   {1 << 20, 10, nil, nil},
		"damaged":       {10, 10, func(b []byte) []byte { return b[:30] }, record.ErrDamaged},
		"of other call": {10, 10, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			key := memokey.Parts{Name: "f", Version: "0", In: "in", Out: "out", Input: []byte(name)}.Key()
			place := memo.Place{Store: store, Path: memokey.Path("p", "f", "0", key), Key: key}
			head := record.Head{MemoKey: key.String(), RunID: "run", Origin: record.Origin{Code: "c0de", Func: "example.com/f"}}
			if name == "of other call" {
				head.MemoKey = strings.Repeat("0", 64)
			}
			header := record.ResultHeader{RunHeader: record.RunHeader{Head: head, Run: record.Run{Error: strings.Repeat("x", c.note)}}}
			sealed, err := record.Seal(record.KindResult, header, make([]byte, c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.damage != nil {
				sealed = c.damage(sealed)
			}
			if _, err := store.PutBytes(t.Context(), place.Path+"/result", sealed, blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			got, err := place.ResultHeader(t.Context())
			if name == "of other call" {
				if _, foreign := errors.AsType[*record.ForeignError](err); !foreign {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || err == nil && (got.Code != "c0de" || len(got.Run.Error) != c.note) {
				t.Errorf("%q, %v", got.Code, err)
			}
		})
	}
	none := memo.Place{Store: store, Path: memokey.Path("p", "f", "0", memokey.Key{}), Key: memokey.Key{}}
	if _, err := none.ResultHeader(t.Context()); !blob.Is(err, blob.NotFound) {
		t.Error(err)
	}
}

// What a store says of code is read as it was put, or not at all.
func TestDescribedCode(t *testing.T) {
	store := blob.New("mem://test", memblob.New())
	f := &code.Fingerprint{Hash: "c0de", Go: "go1.26", Package: "example.com/f", Decls: []code.Decl{{Kind: code.Func, Name: "example.com/f.f", Hash: "1"}}}
	for range 2 {
		if err := memo.PutCode(t.Context(), store, f); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := memo.Code(t.Context(), store, "c0de"); err != nil || got.Package != f.Package || len(got.Decls) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := memo.Code(t.Context(), store, "none"); !blob.Is(err, blob.NotFound) {
		t.Error(err)
	}
	for _, text := range []string{"", "{", `{"hash":"other"}`} {
		const key = "mops1-blobs/code/bad.json"
		if !memo.IsCode(key) {
			t.Error("it is no key of a description")
		}
		if _, err := store.PutBytes(t.Context(), key, []byte(text), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, err := memo.Code(t.Context(), store, "bad"); err == nil || !strings.Contains(err.Error(), "describe") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
