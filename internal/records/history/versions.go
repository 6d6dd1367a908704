package history

import (
	"context"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
)

// mostVersions is how many other versions of a function are looked at.
const mostVersions = 10

// OtherVersion returns the runs of another version of the function whose calls
// lie in a folder: of those with known runs, the version with the latest one. It
// costs a list for each version, and for up to 10 of them what Read costs.
// Without such runs version is "".
func OtherVersion(ctx context.Context, store *blob.Store, folder string) (runs []executor.Past, version string, err error) {
	at := strings.LastIndex(folder, "@")
	if at < 0 {
		return nil, "", nil
	}
	prefix := folder[:at+1]
	from := ""
	for range mostVersions {
		found, err := versionFrom(ctx, store, prefix, from)
		if err != nil || found == "" {
			return runs, version, err
		}
		from = prefix + found + "0" // behind its folder: '0' follows '/'
		if prefix+found == folder {
			continue
		}
		its, err := Read(ctx, store, prefix+found)
		if err != nil {
			return runs, version, err
		}
		if n := len(its); n > 0 && (len(runs) == 0 || its[n-1].Ended.After(runs[len(runs)-1].Ended)) {
			runs, version = its, found
		}
	}
	return runs, version, nil
}

// versionFrom is the first version of a function in a list that begins somewhere;
// "" if there is none.
func versionFrom(ctx context.Context, store *blob.Store, prefix, from string) (string, error) {
	for info, err := range store.List(ctx, prefix, from) {
		if err != nil {
			return "", fmt.Errorf("the versions of %s cannot be listed: %w", prefix, err)
		}
		version, _, _ := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
		return version, nil
	}
	return "", nil
}
