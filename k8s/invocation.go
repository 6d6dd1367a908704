package k8s

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// task is what a Job runs for an invocation.
func (s *settings) task(inv executor.Invocation, namespace, image string) task {
	t := task{
		namespace: namespace, name: s.jobName(inv), image: image,
		final:       kube.FinalCodes,
		workers:     inv.Workers,
		annotations: kube.Annotations(inv), labels: map[string]string{},
		usualLabels: usualLabels(inv.Pipeline, programName()),
	}
	t.env = append(t.env, variable(kube.FunctionVariable, inv.Function))
	if inv.Workers > 0 {
		t.final = kube.PackFinalCodes
		t.env = append(t.env, field(executor.IndexVariable, "metadata.annotations['"+kube.IndexLabel+"']"))
	}
	if caller := kube.Here().Handle(); caller != "" {
		t.annotations[kube.CallerAnnotation] = caller
	}
	for _, variableText := range inv.Env {
		name, value, _ := strings.Cut(variableText, "=")
		t.env = append(t.env, variable(name, value))
	}
	function, _, _ := strings.Cut(inv.Function, "@")
	for key, value := range map[string]string{kube.FunctionAnnotation: labelValue(function), kube.RunAnnotation: inv.RunID, kube.ProgramRunLabel: inv.ProgramRun, kube.AttemptAnnotation: strconv.Itoa(inv.Attempt)} {
		if value != "" && len(validation.IsValidLabelValue(value)) == 0 {
			t.labels[key] = value
		}
	}
	return t
}

// usualLabels say for whom and for what a Job runs: who counts costs needs it.
func usualLabels(pipeline, program string) map[string]string {
	labels := map[string]string{kube.UserLabel: labelValue(kube.User()), kube.PipelineLabel: labelValue(pipeline), kube.ProgramLabel: labelValue(program)}
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	return labels
}

// programName is the last part of the path of this program's main package, as go
// install names the binary; of one that go run made of files, the binary's name.
var programName = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "command-line-arguments" && info.Path != "" {
		name, parent := path.Base(info.Path), path.Base(path.Dir(info.Path))
		if majorVersion.MatchString(name) && parent != "." {
			return parent
		}
		return name
	}
	return filepath.Base(os.Args[0])
})

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// labelValue is text as a label may hold it: its end, if it is too long.
func labelValue(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 128 && (r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '.'
	}, text)
	return strings.Trim(text[max(0, len(text)-kube.MostName):], "-_.")
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
	most := kube.MostName
	if s.pack > 0 || inv.Workers > 0 { // a pack has its name before it is known how many share it
		most -= len("-99999") // pods have the name of their Job and their index as a host name
	}
	return nameWith(most, s.namePrefix, inv.Function, lowerBase32.EncodeToString(sum[:10]))
}

// nameWith puts a name of at most so many characters together; a middle that is too
// long loses its beginning.
func nameWith(most int, prefix, middle, suffix string) string {
	middle = kube.Slug(middle)
	if most := most - len(prefix) - len(suffix) - 2; len(middle) > most {
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
