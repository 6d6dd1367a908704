// Command needscgo cannot be built without cgo.
package main

import "C"

func main() {}
