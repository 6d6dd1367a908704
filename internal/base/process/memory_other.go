//go:build !linux

package process

func residentPeak() int64 { return 0 }
func childrenPeak() int64 { return 0 }

func containerPeak(_ string, processes int64) int64 { return processes }
