package k8s

import (
	"log/slog"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/TrilliantHealth/mops-go/internal/kube"
)

// Option is a setting of [New]. Of two that set the same the later one counts;
// those that add something add up. One that makes no sense (a CPU of "lots") is
// reported by the first call that the executor is to run.
type Option func(*settings)

// Options is several options as one: what all functions of a kind need, say.
func Options(options ...Option) Option {
	return func(s *settings) {
		for _, option := range options {
			if option != nil {
				option(s)
			}
		}
	}
}

// Kubeconfig sets the file that names clusters and users. The default is that of
// kubectl: KUBECONFIG, else ~/.kube/config, else the cluster that this process is
// a pod of.
func Kubeconfig(path string) Option { return func(s *settings) { s.target.Kubeconfig = path } }

// Context sets the context of the kubeconfig. The default is its current one.
func Context(name string) Option { return func(s *settings) { s.target.Context = name } }

// Namespace sets where Jobs go. The default is the user's account name, made a
// valid name; in a pod the pod's namespace.
func Namespace(name string) Option { return func(s *settings) { s.target.Namespace = name } }

// CreateNamespace says whether a namespace that is absent is created. The default
// is true.
func CreateNamespace(create bool) Option { return func(s *settings) { s.createNamespace = create } }

// NamePrefix sets what the names of Jobs begin with. The default is "mops".
func NamePrefix(prefix string) Option {
	return func(s *settings) {
		if s.namePrefix = kube.Slug(prefix); s.namePrefix == "" || len(s.namePrefix) > 20 {
			s.refuse("k8s.NamePrefix(%q): it must have from 1 to 20 letters and digits", prefix)
		}
	}
}

// Label adds a label to Jobs and their pods.
func Label(key, value string) Option { return func(s *settings) { set(&s.labels, key, value) } }

// Annotation adds an annotation to Jobs and their pods.
func Annotation(key, value string) Option {
	return func(s *settings) { set(&s.annotations, key, value) }
}

// TTL sets how long a Job stays after it has ended. The default is an hour.
// With 0 it goes at once, perhaps before it was seen how it ended.
func TTL(d time.Duration) Option {
	return func(s *settings) { s.ttl = s.notNegative("TTL", d) }
}

// Retries sets how often a worker is started again that died of something which
// may pass. The default is 6. Failures of the function itself are not among
// them: see mops.Retries.
func Retries(n int) Option { return func(s *settings) { s.retries = max(n, 0) } }

// Deadline sets how long a Job may take, with the time until its pod starts. The
// default is 0: as long as it wants. See mops.Timeout for one that the caller keeps.
func Deadline(d time.Duration) Option {
	return func(s *settings) { s.deadline = s.notNegative("Deadline", d) }
}

// StopGrace sets how long a worker that is being stopped has between SIGTERM and
// SIGKILL, in whole seconds. The default is 10 s; 0 is SIGKILL at once.
func StopGrace(d time.Duration) Option {
	return func(s *settings) { s.stopGrace = s.notNegative("StopGrace", d) }
}

// StartGrace sets how long a pod that has a node may fail to start, its image or a
// Secret missing, before the call fails. The default is 2 minutes; negative is for ever.
func StartGrace(d time.Duration) Option { return func(s *settings) { s.startGrace = d } }

// RoomGrace sets how long a pod may find no room, on a node or in the namespace's
// quota, before the call fails. The time counts while no other Job of this
// process runs in the namespace: those make room when they end. The default is
// 10 minutes, in which most clusters can add a node; negative is for ever.
func RoomGrace(d time.Duration) Option { return func(s *settings) { s.roomGrace = d } }

// PriorityClass sets the priority class of pods.
func PriorityClass(name string) Option { return func(s *settings) { s.priorityClass = name } }

// Queue hands Jobs over to Kueue: they are created suspended, with the name of a
// LocalQueue, and wait there for as long as it takes.
func Queue(name string) Option { return func(s *settings) { s.queue = name } }

// Limit sets how many functions may run side by side; 0, the default, means no
// limit: the cluster has its own.
func Limit(n int) Option { return func(s *settings) { s.limit = max(n, 0) } }

// Transform changes each Job before it is created, after everything else; several
// are applied in the order given. Its name, its namespace and the labels and
// annotations of mops stay. An error fails the call.
func Transform(change func(*batchv1.Job) error) Option {
	return func(s *settings) { s.transforms = append(s.transforms, change) }
}

// Logs sets of which share of the workers the output is shown while they run: 1,
// the default, all; 0 none; 0.1 every tenth. MOPS_K8S_LOGS (all, none, or a number
// from 0 to 1) has precedence. In the store it is kept in any case.
func Logs(share float64) Option {
	return func(s *settings) {
		if s.logShare = share; !(share >= 0 && share <= 1) {
			s.refuse("k8s.Logs(%v): it must be from 0 to 1", share)
		}
	}
}

// LogStreams sets the output of how many workers is shown at the same time, for
// all executors of this process on the same cluster: each is a stream through the
// cluster's API server. The default is 100. What starts when all are taken is
// not shown.
func LogStreams(n int) Option { return func(s *settings) { s.logStreams = max(n, 0) } }

// Logger sets where warnings go. The default is the logger of
// the environment (mops.LogTo), else slog.Default().
func Logger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }
