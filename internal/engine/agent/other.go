//go:build !linux && !darwin

// Package agent is what executor/remote starts on another machine; see the other files.
package agent

// Serve does nothing: no executor starts workers here.
func Serve() (code int, asked bool) { return 0, false }
