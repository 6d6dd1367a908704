//go:build !linux && !darwin

package diskfull

// NoInodes reports false where there are no inodes.
func NoInodes(error) bool { return false }
