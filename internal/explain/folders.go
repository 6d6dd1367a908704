package explain

import (
	"context"
	"iter"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
)

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
