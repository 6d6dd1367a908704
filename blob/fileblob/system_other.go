//go:build !unix

package fileblob

import "io/fs"

func (a *attributes) addSystem(fs.FileInfo) {
	a.links = 1
	a.mode &^= 0o070 // nobody shares a root by its group
}

func listedAt(path string) (attributes, error) { return attributesAt(path) }

// syncFolder does nothing where folders cannot be synced.
func syncFolder(string) error { return nil }
