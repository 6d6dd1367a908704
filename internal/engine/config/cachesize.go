package config

import "fmt"

// CacheSizeVariable says how much this machine keeps of files from stores elsewhere.
const CacheSizeVariable = "MOPS_CACHE_SIZE"

// CacheSize reads [CacheSizeVariable], in bytes: a size such as 50GiB or 500MB. An
// empty variable is as good as none: then found is false. lookup is [os.LookupEnv]
// or the like.
func CacheSize(lookup func(string) (string, bool)) (size int64, found bool, err error) {
	text, _ := lookup(CacheSizeVariable)
	if text == "" {
		return 0, false, nil
	}
	size, ok := textToSize(text)
	if !ok {
		return 0, false, fmt.Errorf("%s=%q: not a size; write one with its unit, such as %q or %q", CacheSizeVariable, text, "50GiB", "500MB")
	}
	return size, true, nil
}
