package source

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// manifest is a folder as content: the names and contents of its files. Its
// canonical bytes are the folder's blob, their hash is the folder's identity.
// They are CBOR in the core deterministic encoding (RFC 8949, section 4.2.1): a
// map of "format", "files" (an array of arrays: path, sha256, size, executable)
// and "folders" (the paths of empty ones), sorted by bytes of path. It says
// nothing of owners, times and other permissions.
type manifest struct {
	Format  string   `cbor:"format"`
	Files   []entry  `cbor:"files"`
	Folders []string `cbor:"folders"` // empty ones; others show by their files
}

type entry struct {
	_          struct{} `cbor:",toarray"`
	Path       string   // with slashes, relative to the folder
	Hash       Hash
	Size       int64
	Executable bool
}

const (
	manifestFormat = "mops1-manifest"
	maxEntries     = 1 << 22 // files in one folder, and as many empty folders
)

func (m *manifest) encode() ([]byte, error) {
	m.Format = manifestFormat
	slices.SortFunc(m.Files, func(a, b entry) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(m.Folders)
	if n := max(len(m.Files), len(m.Folders)); n > maxEntries {
		return nil, fmt.Errorf("a folder of %d entries is more than the %d that a manifest may hold: pass parts of it", n, maxEntries)
	}
	return encoding.Marshal(m)
}

// decodeManifest reads a manifest and makes sure that it can be unpacked
// without harm: relative clean paths, each one once, no file also a folder.
func decodeManifest(data []byte) (*manifest, error) {
	var m manifest
	if err := decoding.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("manifest of a folder: %w", err)
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("manifest of a folder: format %q is not %q: it was written by another version of mops", m.Format, manifestFormat)
	}
	files := make(map[string]bool, len(m.Files))
	for _, e := range m.Files {
		if err := validEntry(e.Path); err != nil {
			return nil, err
		}
		if files[e.Path] || e.Size < 0 {
			return nil, fmt.Errorf("manifest of a folder: entry %q is there twice, or has a negative size", e.Path)
		}
		files[e.Path] = true
	}
	for _, folder := range m.Folders {
		if err := validEntry(folder); err != nil {
			return nil, err
		}
		if files[folder] {
			return nil, fmt.Errorf("manifest of a folder: %q is both a file and a folder", folder)
		}
	}
	for _, e := range m.Files {
		if file, ok := fileAbove(files, e.Path); ok {
			return nil, fmt.Errorf("manifest of a folder: %q is both a file and the folder of %q", file, e.Path)
		}
	}
	for _, folder := range m.Folders {
		if file, ok := fileAbove(files, folder); ok {
			return nil, fmt.Errorf("manifest of a folder: %q is both a file and the folder of %q", file, folder)
		}
	}
	return &m, nil
}

func validEntry(name string) error {
	if name == "" || name == "." || !utf8.ValidString(name) || path.IsAbs(name) || path.Clean(name) != name ||
		name == ".." || strings.HasPrefix(name, "../") || strings.ContainsRune(name, 0) {
		return fmt.Errorf("manifest of a folder: path %q is not clean and relative", name)
	}
	return nil
}

func fileAbove(files map[string]bool, name string) (string, bool) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if files[dir] {
			return dir, true
		}
	}
	return "", false
}

// size is the number of bytes in all files together.
func (m *manifest) size() int64 {
	var total int64
	for _, e := range m.Files {
		total += e.Size
	}
	return total
}

// FilesOf returns the hashes of a folder's files; BlobKey has their keys.
// manifest is the content of the folder's own blob.
func FilesOf(manifest []byte) ([]Hash, error) {
	m, err := decodeManifest(manifest)
	if err != nil {
		return nil, err
	}
	hashes := make([]Hash, len(m.Files))
	for i, e := range m.Files {
		hashes[i] = e.Hash
	}
	return hashes, nil
}
