//go:build linux && (amd64 || arm64)

package dl

import (
	"fmt"
	"runtime"

	"github.com/ebitengine/purego"
)

// Load opens a library, which stays open, and makes each func that functions points
// to the one of that name in the library.
func Load(library string, functions map[string]any) error {
	runtime.LockOSThread() // the loader keeps its last error for each thread
	defer runtime.UnlockOSThread()
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return err
	}
	for name, function := range functions {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return fmt.Errorf("%s has no function %s: %w", library, name, err)
		}
		purego.RegisterFunc(function, symbol)
	}
	return nil
}
