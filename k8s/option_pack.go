package k8s

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// mostSideBySide bounds SideBySide; it is far above any sensible number, and catches a
// slip of the key.
const mostSideBySide = 1000

// Pack puts calls of one function together, where a Job for each would cost more than
// the call: a Job gets a list of calls and several pods that take one after another
// from it, so many that each pod has about this much work. How many calls that is, mops
// learns from how long they take. Each call keeps its own result, error, lease and log.
// A call that kills its pod is run again in a Job of its own.
//
// At least a second; a minute is a good choice, since a Job costs two to four seconds.
// The default is 0: each call is a Job. For Jobs with a list, [Retries] and
// [Disruptions] count for each of the pods' places, and [Deadline] for the whole list.
func Pack(work time.Duration) Option {
	return func(s *settings) {
		if work < 0 || work > 0 && work < time.Second {
			s.refuse("k8s.Pack(%v): a pod that is busy for less than a second costs more than it does; give it a second or more, or 0 for a Job for each call", work)
			work = 0
		}
		s.pack = work
	}
}

// SideBySide sets how many calls a pod computes side by side where calls are put
// together; see [Pack]. They share its memory. The default, 0, is one for each whole CPU
// of [CPULimit], or else of [CPU], and at least one.
func SideBySide(calls int) Option {
	return func(s *settings) {
		if calls < 0 || calls > mostSideBySide {
			s.refuse("k8s.SideBySide(%d): it must be from 0 to %d", calls, mostSideBySide)
			calls = 0
		}
		s.sideBySide = calls
	}
}

// Packing says how calls are put together; see [Pack].
func (e *Executor) Packing() executor.Packing {
	s := &e.settings
	if s.pack == 0 {
		return executor.Packing{}
	}
	return executor.Packing{Work: s.pack, Side: s.side(), Most: s.limit, Kind: s.kind()}
}

// kind is equal for executors that would make equal Jobs, at one place: their calls may
// share a Job. It is empty if the settings make none, which the first call reports.
func (s *settings) kind() string {
	job, err := s.job(task{name: "kind"})
	if err != nil {
		return ""
	}
	text, err := json.Marshal(job)
	if err != nil {
		return ""
	}
	least, most := s.memoryMin.DeepCopy(), s.memoryMax.DeepCopy() // String writes into a quantity
	sum := sha256.Sum256(fmt.Appendf(text, "%+v %p %s %v %s %s", s.target, s.image, s.pack, s.percentile, &least, &most))
	return lowerBase32.EncodeToString(sum[:10])
}

// side is how many calls a pod computes side by side.
func (s *settings) side() int {
	if s.sideBySide > 0 {
		return s.sideBySide
	}
	cpu, ok := s.limits[corev1.ResourceCPU]
	if !ok {
		cpu = s.requests[corev1.ResourceCPU]
	}
	return int(min(max(cpu.MilliValue()/1000, 1), mostSideBySide))
}

// packWindow is how many calls that are put together the engine lets in: enough to fill
// the pods of a large cluster several times, so that they do not wait for lists; and a
// bound for the memory of a program that makes millions of calls.
const packWindow = 10_000
