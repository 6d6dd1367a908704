//go:build race

package main

// raceEnabled says that the race detector is in the tests, which takes all the
// address space that there is.
const raceEnabled = true
