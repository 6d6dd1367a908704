//go:build !linux

// Package machines are places for workers that are no cluster; see the other file of it.
// It has them on Linux only.
package machines
