package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ReadCacheVariable says how much this machine keeps of what it read from stores
// elsewhere.
const ReadCacheVariable = "MOPS_READ_CACHE"

// ReadCache reads [ReadCacheVariable], in bytes: a size such as 512MiB or 4GB, or
// off, which is 0. An empty variable is as good as none, and so is on: then found
// is false. lookup is [os.LookupEnv] or the like.
func ReadCache(lookup func(string) (string, bool)) (size int64, found bool, err error) {
	text, _ := lookup(ReadCacheVariable)
	if text == "" {
		return 0, false, nil
	}
	if on, err := textToBool(text); err == nil {
		return 0, on == false, nil
	}
	size, ok := textToSize(text)
	if !ok {
		return 0, false, fmt.Errorf("%s=%q: not a size; write one with its unit, such as %q or %q, or %q for no cache", ReadCacheVariable, text, "512MiB", "4GB", "off")
	}
	return size, true, nil
}

// units of sizes, in bytes.
var units = map[string]float64{
	"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, // SI
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40, // IEC 80000-13
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
