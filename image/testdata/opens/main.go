// Command opens opens libraries while it runs, as a program does that uses a GPU's
// driver.
package main

/*
#include <dlfcn.h>
#include <stdlib.h>

static const char *opened(const char *library) { return dlopen(library, RTLD_NOW) ? "opened" : dlerror(); }
*/
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

func main() {
	for _, library := range os.Args[1:] {
		name := C.CString(library)
		fmt.Println(library+":", C.GoString(C.opened(name)))
		C.free(unsafe.Pointer(name))
	}
	fmt.Println(os.Getenv("LD_LIBRARY_PATH"))
}
