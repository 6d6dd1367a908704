//go:build !unix

package agent

// Serve does nothing: no executor starts workers here.
func Serve() (code int, asked bool) { return 0, false }
