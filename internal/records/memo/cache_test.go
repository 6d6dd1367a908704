package memo_test

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Of all that lies in a store only sound results are kept, under their own names.
func TestCacheKeepsSoundResults(t *testing.T) {
	key := memokey.Parts{Name: "f", Version: "0", In: "in", Out: "out", Input: []byte{0}}.Key()
	path := memokey.Path("p", "f", "0", key)
	seal := func(kind record.Kind, key string) []byte {
		sealed, err := record.Seal(kind, record.RunHeader{Head: record.Head{MemoKey: key, RunID: "run"}}, []byte{0})
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	sound := seal(record.KindResult, key.String())
	for _, test := range []struct {
		key     string
		content []byte
		kept    bool
	}{
		{path + "/result", sound, true},
		{path + "/result", sound[:len(sound)-1], false},
		{path + "/result", seal(record.KindLease, key.String()), false},
		{path + "/result", seal(record.KindResult, strings.Repeat("0", 64)), false},
		{path + "/result", []byte(strings.Replace(string(sound), "mops1", "mops2", 1)), false},
		{path + "/out/run/result", sound, false},
		{path + "/error", sound, false},
		{path + "/lease", sound, false},
		{path, sound, false},
		{"result", sound, false},
		{"mops1-blobs/sha256/" + key.String(), sound, false},
	} {
		store := memo.Cache(blob.New("mem://test", memblob.New()), t.TempDir(), 1<<20, nil)
		if _, err := store.PutBytes(t.Context(), test.key, test.content, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, _, kept := store.ReadCached(test.key); kept != test.kept {
			t.Errorf("%s, %.30q: kept is %v", test.key, test.content, kept)
		}
	}
}
