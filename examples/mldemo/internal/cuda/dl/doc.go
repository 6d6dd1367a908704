// Package dl opens shared libraries and calls their functions, without cgo, on Linux
// on amd64 and arm64. A program that imports it is linked dynamically, also with
// CGO_ENABLED=0: it runs where there is a C library of GNU's, not on Alpine and not in
// an image without one.
package dl
