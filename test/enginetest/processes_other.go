//go:build !linux

package enginetest

// Processes cannot see the environment of others here, and lists none.
func Processes(string) []int { return nil }

// PeakMemory is not known here.
func PeakMemory(int) int64 { return 0 }
