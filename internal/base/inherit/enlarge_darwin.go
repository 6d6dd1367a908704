package inherit

import "os"

// enlarge does nothing: the pipes of macOS grow by themselves.
func enlarge(*os.File) {}
