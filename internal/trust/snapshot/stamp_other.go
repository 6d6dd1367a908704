//go:build !linux && !darwin

package snapshot

import "io/fs"

func stampOf(info fs.FileInfo) stamp {
	return stamp{Size: info.Size(), Written: info.ModTime().UnixNano()}
}
