package k8s

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// obstacle is what keeps a worker from starting.
type obstacle struct {
	reason  executor.Reason
	message string // the cluster's own
	advice  string
	kind    obstacleKind
}

type obstacleKind int

const (
	mistake  obstacleKind = iota // something is wrong that somebody has to mend: k8s.StartGrace
	noRoom                       // others have what it needs: k8s.RoomGrace
	hopeless                     // it stays like this
)

// obstacleOf says what keeps a worker from starting, if anything does.
func obstacleOf(v view) *obstacle {
	if v.job.Spec.Suspend != nil && *v.job.Spec.Suspend {
		return nil // it waits in a queue, for as long as that takes
	}
	if len(v.pods) == 0 {
		return podless(v.events)
	}
	pod := v.pods[len(v.pods)-1]
	if !isAlive(pod) || pod.DeletionTimestamp != nil {
		return nil // the Job makes the next one after a pause
	}
	if c := podCondition(pod, corev1.PodScheduled, corev1.ConditionFalse); c != nil && c.Reason == corev1.PodReasonUnschedulable {
		return &obstacle{
			executor.Unschedulable, c.Message,
			"ask for less (k8s.CPU, k8s.Memory, k8s.GPU), or for other nodes (k8s.NodeSelector, k8s.NodeIn, k8s.Tolerate), or wait longer (k8s.RoomGrace)", noRoom,
		}
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil {
			if o := waiting(w, v.events); o != nil {
				return o
			}
		}
	}
	return nil
}

// podless is why a Job has no pod, by its events.
func podless(message string) *obstacle {
	switch {
	case message == "":
		return nil
	case strings.Contains(message, "exceeded quota"):
		return &obstacle{executor.LaunchRejected, message, "ask for less, let fewer functions run side by side (k8s.Limit), have the quota raised, or wait longer (k8s.RoomGrace)", noRoom}
	}
	return &obstacle{executor.LaunchRejected, message, "change what the message names by the options of k8s.New", mistake}
}

// waiting is why a container does not start. The kubelet's list of reasons grows:
// what is not known is taken for a mistake, with its message.
func waiting(w *corev1.ContainerStateWaiting, events string) *obstacle {
	text := w.Reason
	if w.Message != "" {
		text += ": " + w.Message
	}
	const image = "see that the image is there and its name is right (k8s.Image), and that nodes may pull it (k8s.PullSecret)"
	switch w.Reason {
	case "", "ContainerCreating", "PodInitializing":
		if events == "" {
			return nil
		}
		return &obstacle{executor.NotStarted, events, "create what is missing, or change the options that name it", mistake}
	case "InvalidImageName":
		return &obstacle{executor.ImagePull, text, "give a valid name (k8s.Image)", hopeless}
	case "ErrImageNeverPull":
		return &obstacle{executor.ImagePull, text, "let nodes pull it (k8s.PullPolicy), or load it into them", hopeless}
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed":
		return &obstacle{executor.ImagePull, text, image, mistake}
	case "CreateContainerConfigError":
		advice := "create what is missing, or change the options that name it"
		if strings.Contains(w.Message, "runAsNonRoot") {
			advice = "see k8s.RunAs"
		}
		return &obstacle{executor.NotStarted, text, advice, mistake}
	}
	return &obstacle{executor.NotStarted, text, "see the message", mistake}
}

// grace is how long a worker may be kept by an obstacle; negative is for ever.
func (s *settings) grace(kind obstacleKind) time.Duration {
	switch kind {
	case hopeless:
		return 0
	case noRoom:
		return s.roomGrace
	}
	return s.startGrace
}

// warnAfter is when an obstacle is worth a line: want of room often passes at once.
func (s *settings) warnAfter(kind obstacleKind) time.Duration {
	if kind == noRoom {
		return 15 * time.Second
	}
	return 0
}

// err is the end of a worker that was kept too long.
func (o *obstacle) err(worker string, kept time.Duration) *executor.Error {
	return &executor.Error{Reason: o.reason, Message: fmt.Sprintf(
		"the %s did not start within %v, and its Job was deleted: %s; %s", worker, kept.Round(time.Second), o.message, o.advice)}
}
