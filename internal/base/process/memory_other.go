//go:build !linux

package process

import "time"

func residentPeak() int64 { return 0 }
func childrenPeak() int64 { return 0 }

func containerPeak(_ string, processes int64) int64 { return processes }

func residentNow() Use                         { return Use{} }
func childrenCPU() time.Duration               { return 0 }
func containerInUse(_ string, process Use) Use { return process }
