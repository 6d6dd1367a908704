//go:build !unix

package source

func isLoop(error) bool { return false }
