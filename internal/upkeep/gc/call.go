package gc

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// call is the content of one call's folder.
type call struct {
	memokey.Call
	path    string
	blobs   int
	bytes   int64
	written time.Time // the newest of all but the lease; the lease's if that is all

	result, failure, lease blob.Info // without a key if there is none
	files                  int       // that the function returned
	oldestFile             time.Time
	fileRuns               int // how many runs they are from

	lastRun string
	strange []blob.Info // blobs that this program does not know
}

func (c *call) place(store *blob.Store) memo.Place {
	return memo.Place{Store: store, Path: c.path, Key: c.Key}
}

func (c *call) holds(key string) bool {
	return len(key) > len(c.path) && key[len(c.path)] == '/' && key[:len(c.path)] == c.path
}

// touched is when any of its blobs was written, the lease included.
func (c *call) touched() time.Time {
	if c.lease.ModTime.After(c.written) {
		return c.lease.ModTime
	}
	return c.written
}

// add takes one blob of the folder into account.
func (c *call) add(info blob.Info) {
	c.blobs++
	c.bytes += info.Size
	name := info.Key[len(c.path)+1:]
	first, rest, _ := strings.Cut(name, "/")
	switch {
	case name == "lease":
		c.lease = info
		return
	case name == "result":
		c.result = info
	case name == "error":
		c.failure = info
	case name == "invocation", first == "runs" && rest != "":
	case first == "out" && rest != "":
		c.files++
		if run, _, _ := strings.Cut(rest, "/"); run != c.lastRun { // keys come in order
			c.lastRun = run
			c.fileRuns++
		}
		if c.oldestFile.IsZero() || info.ModTime.Before(c.oldestFile) {
			c.oldestFile = info.ModTime
		}
	default:
		c.strange = append(c.strange, info)
	}
	if info.ModTime.After(c.written) {
		c.written = info.ModTime
	}
}

// calls yields the calls below a prefix that ends with a segment, in the order
// of their keys, with what the list of their blobs says. A blob that belongs to
// no call comes as strange, in a call without a path.
func calls(ctx context.Context, store *blob.Store, prefix string) iter.Seq2[*call, error] {
	return func(yield func(*call, error) bool) {
		var current *call
		done := func() bool {
			c := current
			current = nil
			if c == nil {
				return true
			}
			if c.written.IsZero() {
				c.written = c.lease.ModTime
			}
			return yield(c, nil)
		}
		for info, err := range store.List(ctx, prefix, "") {
			if err != nil {
				yield(nil, err)
				return
			}
			if current != nil && current.holds(info.Key) {
				current.add(info)
				continue
			}
			if !done() {
				return
			}
			if current = callOf(info.Key); current != nil {
				current.add(info)
				continue
			}
			if !yield(&call{blobs: 1, bytes: info.Size, written: info.ModTime, strange: []blob.Info{info}}, nil) {
				return
			}
		}
		done()
	}
}

// callOf is the call whose folder holds a key, or nil.
func callOf(key string) *call {
	parsed, err := memokey.Parse(key)
	if err != nil || parsed.Root != "" || parsed.Rest == "" {
		return nil
	}
	path := strings.TrimSuffix(key, "/"+parsed.Rest)
	parsed.Rest = ""
	return &call{Call: parsed, path: path}
}
