package source

import "strings"

// ContentPrefix is where content lies under its hash, below a root; see BlobKey.
const ContentPrefix = blobPrefix

// HashOf is the inverse of BlobKey.
func HashOf(key string) (h Hash, ok bool) {
	text, ok := strings.CutPrefix(key, blobPrefix)
	if !ok || h.UnmarshalText([]byte(text)) != nil || h.String() != text {
		return Hash{}, false
	}
	return h, true
}

// FilesOf returns what the files of a folder hold, which lies where BlobKey says.
// Manifest is the content of the folder's own blob.
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
