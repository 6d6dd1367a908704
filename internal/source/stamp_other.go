//go:build !linux && !darwin

package source

import "os"

// Without inode and change time, only size and modification time tell.
func stampOf(info os.FileInfo) stamp {
	return stamp{size: info.Size(), mtime: info.ModTime().UnixNano(), ctime: info.ModTime().UnixNano()}
}
