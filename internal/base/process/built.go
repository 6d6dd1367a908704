package process

import (
	"path/filepath"
	"regexp"
	"strings"
)

// inGoCache matches where the go command keeps what go run built, below GOCACHE.
var inGoCache = regexp.MustCompile(`/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)

// BuiltToRun reports whether go run or go test built the program at this path, of
// whatever machine, in a folder of theirs.
func BuiltToRun(path string) bool {
	path = filepath.ToSlash(path)
	return strings.Contains(path, "/go-build") || inGoCache.MatchString(path)
}
