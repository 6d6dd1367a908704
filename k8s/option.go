package k8s

import (
	"log/slog"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Option is a setting for [New]. Of two that set the same the later one counts;
// options that add something add up. If an option is not valid (a CPU of
// "lots"), the first call on the executor fails.
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

// Kubeconfig sets the file with clusters and users. The default is that of
// kubectl: KUBECONFIG, else ~/.kube/config, else the cluster that this process
// is a pod of.
func Kubeconfig(path string) Option { return func(s *settings) { s.target.Kubeconfig = path } }

// Context sets the context of the kubeconfig. The default is its current one.
func Context(name string) Option { return func(s *settings) { s.target.Context = name } }

// Namespace sets the namespace of Jobs. The default is the user's account name,
// made a valid name; in a pod the pod's namespace.
func Namespace(name string) Option { return func(s *settings) { s.target.Namespace = name } }

// CreateNamespace sets whether an absent namespace is created. The default is
// true.
func CreateNamespace(create bool) Option { return func(s *settings) { s.createNamespace = create } }

// NamePrefix sets the beginning of Jobs' names, 1 to 20 letters and digits. The
// default is "mops".
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
// With 0 it goes at once, perhaps before mops saw how it ended.
func TTL(d time.Duration) Option {
	return func(s *settings) { s.ttl = s.notNegative("TTL", d) }
}

// Retries sets how often a worker is started again after it died of something
// that may pass. The default is 6; less than 0 is 0. A worker that crashed twice
// in the same way, with the same exit code and the same last words, is not
// started again. Failures of the function itself are not among them: see
// mops.Retries.
func Retries(n int) Option { return func(s *settings) { s.retries = max(n, 0) } }

// Disruptions sets how often the cluster may take the pod of a worker away (a
// drained or lost node, a preemption), which uses up none of Retries. After one
// more the call fails, with the reason Evicted, Preempted or WorkerLost. The
// default is 20; 0 allows none; negative is any number.
func Disruptions(n int) Option { return func(s *settings) { s.disruptions = n } }

// Deadline sets how long a Job may take, including the time until its pod starts,
// but not the time in which the Job is suspended; after that the cluster counts
// anew. The default is 0: no bound. mops.Timeout counts while the worker runs.
func Deadline(d time.Duration) Option {
	return func(s *settings) { s.deadline = s.notNegative("Deadline", d) }
}

// StopGrace sets the time between SIGTERM and SIGKILL, in whole seconds, for a
// worker that is being stopped, and for sidecars that still run when their
// worker has ended. The default is 10 s; 0 is SIGKILL at once.
func StopGrace(d time.Duration) Option {
	return func(s *settings) { s.stopGrace = s.notNegative("StopGrace", d) }
}

// StartGrace sets how long a pod that has a node may fail to start, because its
// image or a Secret is missing, before the call fails. The default is 2
// minutes; negative is for ever.
func StartGrace(d time.Duration) Option { return func(s *settings) { s.startGrace = d } }

// RoomGrace sets how long a pod may find no room, on a node or in the
// namespace's quota, before the call fails. The time counts while no other Job
// of this process runs in the namespace: those make room when they end. The
// default is 10 minutes, in which most clusters can add a node; negative is for
// ever.
func RoomGrace(d time.Duration) Option { return func(s *settings) { s.roomGrace = d } }

// SilenceGrace sets how long a worker may give no sign of life on a node that does
// not answer, before its pod is deleted by force and the call goes on elsewhere. The
// default is a minute; negative is for ever. The cluster itself takes some 40 s to
// notice that a node does not answer. A worker that gives signs of life through the
// store is left alone.
func SilenceGrace(d time.Duration) Option { return func(s *settings) { s.silenceGrace = d } }

// PriorityClass sets the priority class of pods.
func PriorityClass(name string) Option { return func(s *settings) { s.priorityClass = name } }

// Queue hands Jobs over to Kueue: they are created suspended, with the name of
// a LocalQueue, and wait there for as long as it takes.
func Queue(name string) Option { return func(s *settings) { s.queue = name } }

// Limit sets how many functions may run side by side; 0, the default, means no
// limit: the cluster has its own.
func Limit(n int) Option { return func(s *settings) { s.limit = max(n, 0) } }

// Transform changes each Job before it is created, after everything else;
// several are applied in the order given. The labels and annotations of mops
// stay. The call fails if change fails, renames the Job, removes the worker's
// container, or changes how many workers share the calls of [Pack].
func Transform(change func(*batchv1.Job) error) Option {
	return func(s *settings) { s.transforms = append(s.transforms, change) }
}

// Logs sets the share of workers whose output is shown while they run: 1, the
// default, for all; 0 for none; 0.1 for every tenth. MOPS_K8S_LOGS (all, none,
// or a number from 0 to 1) has precedence. The store keeps the output in any
// case.
func Logs(share float64) Option {
	return func(s *settings) {
		if s.logShare = share; !(share >= 0 && share <= 1) {
			s.refuse("k8s.Logs(%v): it must be from 0 to 1", share)
		}
	}
}

// LogStreams sets how many workers have their output shown at the same time,
// for all executors of this process on the same cluster: each is a stream
// through the cluster's API server. The default is 100. Workers that start when
// all streams are taken are not shown.
func LogStreams(n int) Option { return func(s *settings) { s.logStreams = max(n, 0) } }

// Logger sets the logger for warnings. The default is the logger of the
// environment (mops.LogTo), else slog.Default().
func Logger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }
