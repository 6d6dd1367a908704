package memo

import (
	"encoding/hex"
	"log/slog"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Cache returns a store that keeps sound results in a folder of this machine, of
// at most so many bytes; see blob.Cache. What else belongs to a call changes.
func Cache(store *blob.Store, dir string, size int64, log *slog.Logger) *blob.Store {
	return blob.Cache(store, blob.CachePolicy{
		Dir: dir, Size: size, Log: log,
		Selects: func(key string) bool { _, ok := callOfResult(key); return ok },
		Sound:   soundResult,
	})
}

// callOfResult is the memo key, in hex, of the call whose result has this key.
func callOfResult(key string) (hash string, ok bool) {
	path, ok := strings.CutSuffix(key, "/result")
	at := len(path) - hex.EncodedLen(len(memokey.Key{}))
	if !ok || at < 1 || path[at-1] != '.' || strings.IndexByte(path[at:], '/') >= 0 {
		return "", false
	}
	return path[at:], true
}

func soundResult(key string, content []byte) bool {
	result, err := record.Open(record.KindResult, content)
	if err != nil {
		return false
	}
	hash, _ := callOfResult(key)
	_, err = record.Check(result.Header, hash)
	return err == nil
}
