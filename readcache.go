package mops

import (
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go/internal/engine/config"
)

// DefaultReadCache is the bound that [ReadCache] changes: 1 GiB.
const DefaultReadCache = config.DefaultReadCache

// ReadCache bounds the results from remote stores that this machine keeps, in
// bytes; with 0 it keeps none, and every hit asks the store. Programs share
// these results, in [CacheDir]: a hit that one of them had before asks nothing
// of the store. So it does not see that somebody on another machine has
// refreshed the result since, or removed it; [Refresh] does.
//
// Default: MOPS_READ_CACHE, else [DefaultReadCache]; under [Isolated], none.
func ReadCache(bytes int64) EnvOption {
	return envOption(func(e *envOptions) { e.readCache = &bytes })
}

// resultsCache is the folder, within the cache folder, for results from remote
// stores, and its bound in bytes; "" for no such folder.
func (o *envOptions) resultsCache(cacheDir string, isolated bool) (dir string, size int64, err error) {
	switch {
	case cacheDir == "":
		return "", 0, nil
	case o.readCache != nil:
		size = *o.readCache
	case isolated:
		return "", 0, nil
	default:
		found := false
		if size, found, err = config.ReadCache(os.LookupEnv); err != nil {
			return "", 0, err
		}
		if !found {
			size = DefaultReadCache
		}
	}
	dir, err = filepath.Abs(filepath.Join(cacheDir, "results"))
	return dir, size, err
}
