package explain

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Listed is a call, as far as the list of its blobs says how it is.
type Listed struct {
	Bytes  int64     `json:"bytes"`
	Oldest time.Time `json:"oldest"`
	Newest time.Time `json:"newest"`

	Path                 string    `json:"-"`
	Folder               bool      `json:"-"` // as every call is
	Invocation           blob.Info `json:"-"`
	Result, Error, Lease bool      `json:"-"`
	ResultBytes          int64     `json:"-"`
}

// List yields the calls below a prefix: keys come in byte order, so all blobs of a
// call come one after the other. A blob beside the calls of a function comes by itself.
func List(ctx context.Context, store *blob.Store, prefix string) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		var c Listed
		for info, err := range store.List(ctx, prefix, "") {
			if err != nil {
				yield(c, err)
				return
			}
			at := strings.IndexByte(info.Key, '@')
			function, rest, ok := strings.Cut(info.Key[max(at, 0):], "/")
			if at < 0 || !ok {
				continue
			}
			name, record, inFolder := strings.Cut(rest, "/")
			if path := info.Key[:at] + function + "/" + name; path != c.Path {
				if c.Path != "" && !yield(c, nil) {
					return
				}
				c = Listed{Path: path, Oldest: info.ModTime}
			}
			c.Folder = c.Folder || inFolder
			switch record {
			case "invocation":
				c.Invocation = info
			case "result":
				c.Result, c.ResultBytes = true, info.Size
			case "error":
				c.Error = true
			case "lease":
				c.Lease = true
			}
			c.Bytes += info.Size
			if info.ModTime.After(c.Newest) {
				c.Newest = info.ModTime
			}
			if info.ModTime.Before(c.Oldest) {
				c.Oldest = info.ModTime
			}
		}
		if c.Path != "" {
			yield(c, nil)
		}
	}
}

// Folders yields the folders right below a prefix, which ends with a slash, in
// byte order, without a slash at the end. It costs one listing for each of them,
// however much they hold.
func Folders(ctx context.Context, store *blob.Store, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for from, more := "", true; more; {
			more = false
			for info, err := range store.List(ctx, prefix, from) {
				if err != nil {
					yield("", err)
					return
				}
				name, _, folder := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
				if !folder {
					continue
				}
				if !yield(name, nil) {
					return
				}
				from, more = prefix+name+"0", true // '0' is the next after '/'
				break
			}
		}
	}
}
