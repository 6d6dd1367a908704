package k8s

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
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
	t.env = append(t.env, variable(kube.FunctionVariable, inv.Function))
	if caller := kube.Here().Handle(); caller != "" {
		t.annotations[kube.CallerAnnotation] = caller
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

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// jobName is "<prefix>-<function>-<hash>": the function for people; the hash,
// of 80 bits, over all that makes this run different from others.
func (s *settings) jobName(inv executor.Invocation) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", inv.MemoURI, inv.LeaseID, inv.Attempt))
	return nameWith(s.namePrefix, inv.Function, lowerBase32.EncodeToString(sum[:10]))
}

// nameWith puts a name together; a middle that is too long loses its beginning.
func nameWith(prefix, middle, suffix string) string {
	middle = kube.Slug(middle)
	if most := kube.MostName - len(prefix) - len(suffix) - 2; len(middle) > most {
		middle = strings.TrimLeft(middle[len(middle)-most:], "-")
	}
	if middle == "" {
		return prefix + "-" + suffix
	}
	return prefix + "-" + middle + "-" + suffix
}

func splitHandle(handle string) (namespace, job string, ok bool) {
	namespace, job, ok = strings.Cut(handle, "/")
	ok = ok && len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Label(job)) == 0
	return namespace, job, ok
}
