package k8s

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Exit codes that are not mops's own.
const (
	exitKilled     = 137 // SIGKILL: out of memory, or sent by somebody
	exitNotStarted = 128 // the container runtime could not start the program
)

// finalCodes are those after which another pod of the same Job is no use: the
// protocol's own, and those of a death after which the executor has to look:
// the next attempt may need more memory.
var finalCodes = []int32{
	executor.ExitFunc, executor.ExitLost, executor.ExitUnfit, exitNotStarted, exitKilled,
}

// task is what a Job runs for an invocation.
func (s *settings) task(inv executor.Invocation, namespace, image string) task {
	t := task{
		namespace: namespace, name: s.jobName(inv), image: image,
		final:       finalCodes,
		memory:      s.memoryAfter(inv.Failed),
		annotations: kube.Annotations(inv), labels: map[string]string{},
	}
	for _, variableText := range inv.Env {
		name, value, _ := strings.Cut(variableText, "=")
		t.env = append(t.env, variable(name, value))
	}
	if t.memory != nil {
		t.annotations[kube.MemoryAnnotation] = t.memory.String()
	}
	for key, value := range map[string]string{kube.FunctionAnnotation: labelValue(inv.Function), kube.RunAnnotation: inv.RunID, kube.AttemptAnnotation: strconv.Itoa(inv.Attempt)} {
		if value != "" && len(validation.IsValidLabelValue(value)) == 0 {
			t.labels[key] = value
		}
	}
	return t
}

// labelValue is a function's name, without its version, as a label may hold it.
func labelValue(function string) string {
	name, _, _ := strings.Cut(function, "@")
	name = strings.Map(func(r rune) rune {
		if r < 128 && (r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '.'
	}, name)
	return strings.Trim(name[max(0, len(name)-kube.MostName):], "-_.")
}

// isOurs reports whether a Job works on this call under this lease.
func isOurs(annotations map[string]string, inv executor.Invocation) bool {
	there := kube.Annotated(annotations)
	return there.MemoURI == inv.MemoURI && there.LeaseID == inv.LeaseID
}
