package k8s

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// settings are what options set. Those of an Executor never change.
type settings struct {
	err error // of options that are not valid

	// Where.
	target          kube.Target
	createNamespace bool

	// What.
	image     *imageSource
	platforms []string // in place of those that the image is known to be for
	// Where these are not known.
	usualPlatforms []string
	registry       string
	pullPolicy     corev1.PullPolicy // "": see pullPolicyOf
	pullSecrets    []string

	// With what.
	requests, limits corev1.ResourceList
	memoryMin        resource.Quantity
	memoryMax        resource.Quantity
	percentile       float64 // of the history that says how much memory; 0: it does not
	env              []corev1.EnvVar
	envFrom          []corev1.EnvFromSource
	volumes          []corev1.Volume
	mounts           []corev1.VolumeMount
	roots            []mountedRoot
	launched         bool // by Launch

	// As whom.
	serviceAccount string
	user, group    int64 // negative: the image's
	fsGroup        int64 // negative: none
	azure          azureIdentity
	usualAzure     azureIdentity // completes azure

	// On which node.
	nodeSelector map[string]string
	nodeTerms    []corev1.NodeSelectorTerm        // any of them
	nodeNeeds    []corev1.NodeSelectorRequirement // all of them
	tolerations  []corev1.Toleration

	// Until when.
	ttl, deadline         time.Duration
	stopGrace             time.Duration
	startGrace, roomGrace time.Duration
	silenceGrace          time.Duration
	retries, disruptions  int

	// How calls are put together.
	pack       time.Duration // 0: each one is a Job
	sideBySide int           // 0: as many as there are CPUs

	// The rest.
	namePrefix          string
	labels, annotations map[string]string
	priorityClass       string
	queue               string
	transforms          []func(*batchv1.Job) error
	limit               int
	logShare            float64
	logStreams          int
	logger              *slog.Logger
}

func defaults() settings {
	return settings{
		createNamespace: true,
		user:            65532, group: 65532, fsGroup: -1, // "nonroot" of many base images
		ttl:        time.Hour,
		stopGrace:  10 * time.Second,
		startGrace: 2 * time.Minute, roomGrace: 10 * time.Minute,
		silenceGrace: time.Minute,
		retries:      6, disruptions: 20,
		namePrefix: "mops",
		logShare:   1, logStreams: 100,
	}
}

// with is a copy with more options.
func (s settings) with(options []Option) settings {
	s.pullSecrets, s.env, s.envFrom = slices.Clone(s.pullSecrets), slices.Clone(s.env), slices.Clone(s.envFrom)
	s.volumes, s.mounts, s.roots = slices.Clone(s.volumes), slices.Clone(s.mounts), slices.Clone(s.roots)
	s.nodeTerms, s.nodeNeeds, s.tolerations = slices.Clone(s.nodeTerms), slices.Clone(s.nodeNeeds), slices.Clone(s.tolerations)
	s.transforms = slices.Clone(s.transforms)
	s.requests, s.limits = maps.Clone(s.requests), maps.Clone(s.limits)
	s.nodeSelector, s.labels, s.annotations = maps.Clone(s.nodeSelector), maps.Clone(s.labels), maps.Clone(s.annotations)
	for _, option := range options {
		if option != nil {
			option(&s)
		}
	}
	return s
}

// refuse remembers that an option is not valid; New has no error to return.
func (s *settings) refuse(format string, arguments ...any) {
	s.err = errors.Join(s.err, fmt.Errorf(format, arguments...))
}

func (s *settings) notNegative(option string, d time.Duration) time.Duration {
	if d < 0 {
		s.refuse("k8s.%s(%v): it must not be less than 0", option, d)
	}
	return d
}

func (s *settings) log() *slog.Logger {
	if s.logger != nil {
		return s.logger
	}
	return slog.Default()
}

// grace is how long an obstacle may keep a worker from starting; negative is
// for ever.
func (s *settings) grace(kind kube.ObstacleKind) time.Duration {
	switch kind {
	case kube.Hopeless:
		return 0
	case kube.NoRoom:
		return s.roomGrace
	case kube.NoTurn, kube.NeverATurn:
		return -1
	}
	return s.startGrace
}

// warnAfter is when an obstacle is worth a line: want of room often passes at
// once.
func (s *settings) warnAfter(kind kube.ObstacleKind) time.Duration {
	switch kind {
	case kube.NoRoom, kube.NoTurn:
		return 15 * time.Second
	}
	return 0
}

// set puts an entry into a map that may be nil yet.
func set[M ~map[K]V, K comparable, V any](m *M, key K, value V) {
	if *m == nil {
		*m = M{}
	}
	(*m)[key] = value
}
