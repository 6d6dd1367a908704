//go:build !unix

package openfile

// Where there are no pipes among the files, nothing has to be said.
const (
	Flags     = 0
	NoFollow  = 0
	directory = 0
)

// IsLeased is for systems that have leases on files.
func IsLeased(error) bool { return false }
