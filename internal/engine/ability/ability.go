// Package ability asks an executor for what it may know beside the methods that all
// have. The engine and the root package ask; who writes an executor implements.
package ability

import "github.com/TrilliantHealth/mops-go/executor"

// InProcess reports whether an executor runs invocations in this process.
func InProcess(e executor.Executor) bool {
	local, ok := e.(executor.Local)
	return ok && local.RunsHere()
}

// RunsRemotely reports whether an executor's workers run on other machines.
func RunsRemotely(e executor.Executor) bool {
	remote, ok := e.(executor.Remote)
	return ok && remote.RunsRemotely()
}

// StartsItself reports whether an executor's workers are the running program, started
// again.
func StartsItself(e executor.Executor) bool {
	self, ok := e.(interface{ StartsItself() bool })
	return ok && self.StartsItself()
}

// MayRetry reports whether an executor would try again by itself.
func MayRetry(e executor.Executor, failed []executor.Reason) bool {
	retrier, ok := e.(executor.Retrier)
	return ok && retrier.MayRetry(failed)
}

// Original is the executor with which e shares its limit: e itself, unless that is a
// copy.
func Original(e executor.Executor) executor.Executor {
	if c, ok := e.(executor.Copy); ok {
		if of := c.CopyOf(); of != nil {
			return of
		}
	}
	return e
}

// RootFor is where an executor's workers find a root.
func RootFor(e executor.Executor, root string) string {
	if mounter, ok := e.(executor.Mounter); ok {
		return mounter.RootFor(root)
	}
	return root
}

// Packing says how an executor puts calls together; the zero value: it does not.
func Packing(e executor.Executor) executor.Packing {
	if packer, ok := e.(executor.Packer); ok {
		return packer.Packing()
	}
	return executor.Packing{}
}
