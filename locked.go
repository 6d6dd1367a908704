package mops

import "runtime"

// Locked states by which code the functions of a package compute, so that
// results of other code are noticed. Only mops_lock.go calls it, a file that the
// command mops-lock writes into each package that defines functions; see "Did my
// code change?" in the documentation.
func Locked(text string, options ...RegistryOption) {
	_, file, _, _ := runtime.Caller(1)
	registryOf(options).Locks.State(text, file)
}
