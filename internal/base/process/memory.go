package process

// Peak returns the most memory that this process has had resident since its program
// began, in bytes; 0 if that is unknown. Where the kernel hands the number of the
// process that started this one on to it, as Linux does, Usage returns that if it is
// more.
func Peak() int64 {
	if peak := residentPeak(); peak > 0 {
		return peak
	}
	_, peak := Usage()
	return peak
}

// ContainerPeak returns the most memory that the container of this process has
// needed, in bytes: it may run this process and those that it started, and nothing
// else of size. Files that the kernel has cached do not count, as it drops them when
// memory is short. Where the kernel does not tell, it is Peak.
func ContainerPeak() int64 { return containerPeak("/", max(Peak(), childrenPeak())) }
