package k8s

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// fewestRuns is how many runs a history must have to be worth more than what the
// user wrote.
const fewestRuns = 20

const mebi = 1 << 20

// leastLearned is the default of MemoryMin: what a Go program needs to do anything.
const leastLearned = 128 * mebi

// allotment is the memory limit of a pod, and where the number comes from, for people.
type allotment struct {
	limit *resource.Quantity // nil: no limit
	from  string
}

// memoryFor is the memory for an attempt. The platforms are those of the image.
func (s *settings) memoryFor(ctx context.Context, inv executor.Invocation, platforms []string) (allotment, error) {
	if s.percentile == 0 {
		return s.memoryByOption(inv.Failed), nil
	}
	base, ok := s.limits[corev1.ResourceMemory]
	switch {
	case !ok || base.IsZero():
		return allotment{}, launchFailed(inv.Function+" could not be started", errors.New("k8s.MemoryFromHistory needs k8s.Memory, which counts until enough runs are known: set both, or neither"))
	case s.least() > s.most():
		return allotment{}, launchFailed(inv.Function+" could not be started", fmt.Errorf("k8s.MemoryMin (%s) is more than k8s.MemoryMax (%s)", inBytes(s.least()), inBytes(s.most())))
	}
	learned := s.learn(ctx, inv, platforms)
	if count(inv.Failed, executor.OOMKilled) == 0 {
		return learned, nil
	}
	return s.moreThan(inv, learned)
}

// memoryByOption is the memory as long as nothing is learned.
func (s *settings) memoryByOption(failed []executor.Reason) allotment {
	limit := s.memoryAfter(failed)
	switch base := s.limits[corev1.ResourceMemory]; {
	case limit == nil:
		return allotment{}
	case limit.Cmp(base) == 0:
		return allotment{limit, kube.MemoryOption}
	}
	return allotment{limit, kube.MemoryOption + ", and twice as much after each attempt that ran out of it"}
}

// moreThan is the memory for an attempt after one that ran out of it: twice as much,
// and no less than if what the user wrote had come after the first.
func (s *settings) moreThan(inv executor.Invocation, learned allotment) (allotment, error) {
	had := inv.ExhaustedMemory
	if had <= 0 {
		had = learned.limit.Value()
	}
	usual := s.memoryAfter(butOne(inv.Failed))
	if had >= s.most() {
		return allotment{}, &executor.Error{Reason: executor.OOMKilled, Message: fmt.Sprintf(
			"the worker of %s ran out of memory (%s), and k8s.MemoryMax allows no more than %s", inv.Function, inBytes(had), inBytes(s.most()))}
	}
	more := min(max(2*min(had, s.most()), usual.Value(), learned.limit.Value()), s.most())
	return allotment{inBytes(more), fmt.Sprintf("an attempt ran out of %s", inBytes(had))}, nil
}

// butOne are the reasons without the first of a lack of memory: the attempt that had
// what was learned.
func butOne(failed []executor.Reason) []executor.Reason {
	first := slices.Index(failed, executor.OOMKilled)
	return slices.Concat(failed[:first], failed[first+1:])
}

// learn asks the history.
func (s *settings) learn(ctx context.Context, inv executor.Invocation, platforms []string) allotment {
	base := s.limits[corev1.ResourceMemory]
	var past []executor.Past
	var err error
	if inv.History != nil {
		past, err = inv.History(ctx)
	}
	if err != nil { // the engine logs it
		return allotment{&base, kube.MemoryOption + ", as the earlier runs could not be read"}
	}
	needs := needsOf(past, platforms, base.Value())
	if len(needs) < fewestRuns {
		return allotment{&base, fmt.Sprintf("%s, as only %d earlier runs are known, of %d that it takes to learn from them", kube.MemoryOption, len(needs), fewestRuns)}
	}
	need := percentileOf(needs, s.percentile)
	from := fmt.Sprintf("%s%% of %d earlier runs needed at most %s, and a quarter more",
		strconv.FormatFloat(s.percentile, 'g', -1, 64), len(needs), inBytes((need+mebi-1)/mebi*mebi))
	side := 1
	if inv.Workers > 0 { // the calls of a pack share the memory of their pod
		if side = s.side(); side > 1 {
			from += fmt.Sprintf(", for each of %d calls side by side", side)
		}
	}
	least, most := s.least(), s.most()
	more := float64(need) * 1.25 * float64(side)
	if more >= float64(most) {
		return allotment{inBytes(most), from + "; but no more than k8s.MemoryMax"}
	}
	limit := min(roundUp(int64(more)), most)
	if limit < least {
		limit, from = least, from+"; but no less than k8s.MemoryMin"
	}
	return allotment{inBytes(limit), from}
}

// least and most bound what is learned, in bytes.
func (s *settings) least() int64 {
	if s.memoryMin.IsZero() {
		return min(leastLearned, s.most())
	}
	return s.memoryMin.Value()
}

func (s *settings) most() int64 {
	base := s.limits[corev1.ResourceMemory]
	return max(s.mostMemory(), base.Value())
}

// needsOf are what the runs that say something of pods on these platforms needed, in
// bytes, sorted. One that ran out of memory needed more than it had: twice as much,
// as far as is known; usual is what it had if that is unknown.
func needsOf(past []executor.Past, platforms []string, usual int64) (needs []int64) {
	for _, run := range past {
		need := run.PeakMemory
		if run.Reason == executor.OOMKilled {
			if need <= 0 {
				need = usual
			}
			need = 2 * min(need, math.MaxInt64/4)
		}
		if run.Executor == executorName && need > 0 && (len(platforms) == 0 || run.Platform == "" || slices.Contains(platforms, run.Platform)) {
			needs = append(needs, min(need, math.MaxInt64/2))
		}
	}
	slices.Sort(needs)
	return needs
}

// percentileOf is the least of sorted numbers that so many percent of them do not
// exceed.
func percentileOf(sorted []int64, percent float64) int64 {
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// roundUp makes a number of bytes one that many Jobs have: it grows by a sixteenth at
// most, or to 16 MiB.
func roundUp(n int64) int64 {
	step := max(int64(1)<<max(bits.Len64(uint64(n))-5, 0), 16*mebi)
	return (n + step - 1) / step * step
}

func inBytes(n int64) *resource.Quantity { return resource.NewQuantity(n, resource.BinarySI) }
