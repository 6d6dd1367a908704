package k8s

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/TrilliantHealth/mops-go/executor"
)

// usualGrowth is the most memory for a call, as a multiple of its first limit.
const usualGrowth = 4

// memoryAfter is the memory limit of the attempt after those that failed for
// these reasons: twice as much after each that ran out of memory, up to the
// most. It is nil if there is no limit.
func (s *settings) memoryAfter(failed []executor.Reason) *resource.Quantity {
	base, ok := s.limits[corev1.ResourceMemory]
	if !ok {
		return nil
	}
	bytes, most := base.Value(), max(s.mostMemory(), base.Value())
	for range count(failed, executor.OOMKilled) {
		if bytes > most/2 {
			bytes = most
		} else {
			bytes *= 2
		}
	}
	if bytes == base.Value() {
		return &base // as the user wrote it
	}
	return resource.NewQuantity(bytes, resource.BinarySI)
}

// mostMemory is the most memory to try a call with, in bytes.
func (s *settings) mostMemory() int64 {
	if !s.memoryMax.IsZero() {
		return s.memoryMax.Value()
	}
	base := s.limits[corev1.ResourceMemory]
	return base.Value() * usualGrowth
}

// resources are the requests and limits of a pod with so much memory. A request
// below the limit grows as the limit does.
func (s *settings) resources(memory *resource.Quantity) (requests, limits corev1.ResourceList) {
	requests, limits = maps.Clone(s.requests), maps.Clone(s.limits)
	base, ok := limits[corev1.ResourceMemory]
	if memory == nil || !ok || memory.Cmp(base) == 0 {
		return requests, limits
	}
	if request, ok := requests[corev1.ResourceMemory]; ok {
		grown := float64(request.Value()) * float64(memory.Value()) / float64(base.Value())
		requests[corev1.ResourceMemory] = *resource.NewQuantity(int64(grown), resource.BinarySI)
	}
	limits[corev1.ResourceMemory] = *memory
	return requests, limits
}

// MayRetry allows another attempt after a worker ran out of memory, if it can
// get more, and, up to Retries times, after one was killed or lost with its node.
// After other failures in a pod its Job has tried again already.
func (e *Executor) MayRetry(failed []executor.Reason) bool {
	if len(failed) == 0 {
		return false
	}
	switch reason := failed[len(failed)-1]; reason {
	case executor.OOMKilled:
		if e.settings.percentile > 0 {
			// The first had what was learned, the second has Memory at least. If there
			// is no more, Start knows.
			if failed = butOne(failed); count(failed, reason) == 0 {
				return true
			}
		}
		before, after := e.settings.memoryAfter(failed[:len(failed)-1]), e.settings.memoryAfter(failed)
		return after != nil && after.Cmp(*before) > 0
	case executor.Signalled, executor.NodeLost:
		return count(failed, reason) <= e.settings.retries
	}
	return false
}

func count(reasons []executor.Reason, reason executor.Reason) (n int) {
	for _, r := range reasons {
		if r == reason {
			n++
		}
	}
	return n
}
