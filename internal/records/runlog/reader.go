package runlog

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Copy writes the chunks of a log, from number first on, and returns the number
// that the next chunk will have. The first chunk is number 1.
func Copy(ctx context.Context, to io.Writer, store *blob.Store, prefix string, first int) (next int, err error) {
	next = first
	for info, err := range store.List(ctx, prefix+"/", fmt.Sprintf("%s/%06d", prefix, first)) {
		if err != nil {
			return next, err
		}
		number, err := strconv.Atoi(strings.TrimPrefix(info.Key, prefix+"/"))
		if err != nil {
			continue // not a chunk
		}
		chunk, _, err := store.ReadUpTo(ctx, info.Key, nil, mostChunk)
		if blob.Is(err, blob.TooLarge) || blob.Is(err, blob.Corrupt) { // the others may be worth reading
			chunk, err = fmt.Appendf(nil, "\n[mops: %v; it is left out here]\n", err), nil
		}
		if err != nil {
			return next, err
		}
		if _, err := to.Write(chunk); err != nil {
			return next, err
		}
		next = number + 1
	}
	return next, nil
}

// Next is the number that the next chunk of a log will have.
func Next(ctx context.Context, store *blob.Store, prefix string) (int, error) {
	next := 1
	for info, err := range store.List(ctx, prefix+"/", "") {
		if err != nil {
			return next, err
		}
		if number, err := strconv.Atoi(strings.TrimPrefix(info.Key, prefix+"/")); err == nil {
			next = number + 1
		}
	}
	return next, nil
}
