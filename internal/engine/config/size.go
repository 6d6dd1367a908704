package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// These variables say how much this machine keeps: of files from stores elsewhere, and
// of what it read there.
const (
	cacheVariable     = "MOPS_CACHE" // where
	CacheSizeVariable = "MOPS_CACHE_SIZE"
	ReadCacheVariable = "MOPS_READ_CACHE"
)

// CacheSize reads [CacheSizeVariable], in bytes: a size such as 50GiB or 500MB. An
// empty variable is as good as none: then found is false. lookup is [os.LookupEnv]
// or the like.
func CacheSize(lookup func(string) (string, bool)) (size int64, found bool, err error) {
	return sizeIn(lookup, CacheSizeVariable, `"50GiB" or "500MB"`)
}

// ReadCache reads [ReadCacheVariable], in bytes: a size such as 512MiB or 4GB, or
// off, which is 0. An empty variable is as good as none, and so is on: then found
// is false. lookup is [os.LookupEnv] or the like.
func ReadCache(lookup func(string) (string, bool)) (size int64, found bool, err error) {
	text, _ := lookup(ReadCacheVariable)
	if on, err := textToBool(text); err == nil {
		return 0, on == false, nil
	}
	return sizeIn(lookup, ReadCacheVariable, `"512MiB" or "4GB", or "off" for no cache`)
}

func sizeIn(lookup func(string) (string, bool), variable, examples string) (size int64, found bool, err error) {
	text, _ := lookup(variable)
	if text == "" {
		return 0, false, nil
	}
	size, ok := textToSize(text)
	if !ok {
		return 0, false, fmt.Errorf("%s=%q: not a size; write one with its unit, such as %s", variable, text, examples)
	}
	return size, true, nil
}

// units of sizes, in bytes.
var units = map[string]float64{
	"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, // SI
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40, // IEC 80000-13
}

// Size writes a size, in bytes, so that it is read as the same.
func Size(n int64) string {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if of := int64(units[strings.ToUpper(unit)]); n != 0 && n%of == 0 {
			return fmt.Sprintf("%d%s", n/of, unit)
		}
	}
	return fmt.Sprintf("%dB", n)
}

func textToSize(text string) (size int64, ok bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	number := strings.TrimRight(text, "KMGTIB")
	unit, known := units[text[len(number):]]
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	bytes := n * unit
	if !known || err != nil || !(bytes >= 0 && bytes < math.MaxInt64) {
		return 0, false
	}
	return int64(bytes), true
}
