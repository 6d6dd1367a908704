package fileblob

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

const (
	// tempDir holds temporary files that need names, and the probes of the
	// clock. No key can reach it.
	tempDir = ".mops-tmp"

	// silly begins the names that NFS clients give to files removed while open.
	silly = ".nfs"

	// lost is a folder that mkfs makes at the top of a file system, readable by
	// root only.
	lost = "lost+found"

	// maxName is the length of the longest file name, in bytes: NAME_MAX of
	// Linux, less one for the ~ of the versions.
	maxName = 254
)

// path is the file of version 0 of a blob.
func (s *store) path(key string) (string, error) {
	if plain(key) {
		return s.prefix + key, nil
	}
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		name := escape(segment)
		if len(name) > maxName {
			return "", &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf(
				"the part %q… of the key is too long for a file name: %d bytes, and %d are the most", segment[:32], len(name), maxName)}
		}
		segments[i] = name
	}
	return s.prefix + strings.Join(segments, "/"), nil
}

// plain reports that a key needs no escaping. It says no to a few that need
// none either: it is on the path of every hit, and these searches take less
// time than a loop.
func plain(key string) bool {
	return len(key) <= maxName && !strings.HasPrefix(key, ".") && strings.IndexByte(key, '%') < 0 && strings.IndexByte(key, '~') < 0 &&
		!strings.Contains(key, "/.") && !strings.Contains(key, lost)
}

// reserved reports whether a segment could be taken for a file of our own.
func reserved(segment string) bool {
	return strings.HasSuffix(segment, "~") || startsReserved(segment)
}

func startsReserved(segment string) bool {
	return strings.HasPrefix(segment, tempDir) || strings.HasPrefix(segment, silly) || segment == lost
}

// escape is the file name of a segment of a key.
func escape(segment string) string {
	name := strings.ReplaceAll(segment, "%", "%25")
	if startsReserved(segment) {
		name = fmt.Sprintf("%%%02X", name[0]) + name[1:]
	}
	if base, ok := strings.CutSuffix(name, "~"); ok {
		name = base + "%7E"
	}
	return name
}

// unescape is the segment that a file name stands for; ok is false if the file
// is not ours.
func unescape(name string) (segment string, ok bool) {
	if !strings.Contains(name, "%") {
		return name, !reserved(name)
	}
	segment, err := url.PathUnescape(name)
	return segment, err == nil && escape(segment) == name
}

func (s *store) tempDir() string { return filepath.Join(s.dir, tempDir) }
