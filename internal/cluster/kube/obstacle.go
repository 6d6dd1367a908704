package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Obstacle is what keeps a worker from starting.
type Obstacle struct {
	Reason  executor.Reason // "" in a queue
	Message string          // the cluster's own
	Advice  string
	Kind    ObstacleKind
}

// ObstacleKind is whose it is to remove.
type ObstacleKind int

const (
	Mistake    ObstacleKind = iota // something is wrong that somebody has to mend: k8s.StartGrace
	NoRoom                         // others have what it needs: k8s.RoomGrace
	Hopeless                       // it stays like this
	NoTurn                         // others of its queue come first, and it waits for as long as that takes
	NeverATurn                     // its queue does not let it go, whoever else is there: it waits all the same
)

// obstacleOf says what keeps a worker from starting, if anything does; of a pack, of
// which none runs, what keeps one of them, and rather a mistake than a want of room.
func obstacleOf(v View) *Obstacle {
	if IsSuspended(v.Job) {
		return v.Turn.obstacle()
	}
	if len(v.Pods) == 0 {
		return podless(v.Events)
	}
	var noRoom *Obstacle
	for _, pod := range Newest(v.Pods) {
		switch o := obstacleFor(pod, v.Events); {
		case o == nil:
		case o.Kind != NoRoom:
			return o
		case noRoom == nil:
			noRoom = o
		}
	}
	return noRoom
}

// obstacleFor says what keeps a pod.
func obstacleFor(pod *corev1.Pod, events string) *Obstacle {
	if !IsAlive(pod) || pod.DeletionTimestamp != nil {
		return nil // the Job makes the next one after a pause
	}
	if c := podCondition(pod, corev1.PodScheduled, corev1.ConditionFalse); c != nil && c.Reason == corev1.PodReasonUnschedulable {
		advice := "ask for less (k8s.CPU, k8s.Memory, k8s.GPU), or for other nodes (k8s.NodeSelector, k8s.NodeIn, k8s.Tolerate), or wait longer (k8s.RoomGrace)"
		if architectures := architecturesOf(pod); len(architectures) > 0 && strings.Contains(c.Message, "node affinity/selector") {
			advice += fmt.Sprintf("; it may run only on nodes whose label %s is %s: if the cluster has others, make the image for them, too (image.Platforms), or say what it is for (k8s.Platforms)",
				corev1.LabelArchStable, strings.Join(architectures, " or "))
		}
		return &Obstacle{executor.Unschedulable, c.Message, advice, NoRoom}
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil {
			if o := waiting(w, events); o != nil {
				return o
			}
		}
	}
	return nil
}

// OverQuota is that a quota is used up, as the cluster's message says.
func OverQuota(message string) *Obstacle {
	return &Obstacle{executor.LaunchRejected, message, "ask for less, let fewer functions run side by side (k8s.Limit), have the quota raised, or wait longer (k8s.RoomGrace)", NoRoom}
}

// architecturesOf are those of nodes on which a pod may run; none: any.
func architecturesOf(pod *corev1.Pod) (all []string) {
	if selected, ok := pod.Spec.NodeSelector[corev1.LabelArchStable]; ok {
		return []string{selected}
	}
	affinity := pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	for _, term := range affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, r := range term.MatchExpressions {
			if r.Key == corev1.LabelArchStable && r.Operator == corev1.NodeSelectorOpIn {
				all = append(all, r.Values...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// podless is why a Job has no pod, by its events.
func podless(message string) *Obstacle {
	switch {
	case message == "":
		return nil
	case IsQuota(message):
		return OverQuota(message)
	}
	return &Obstacle{executor.LaunchRejected, message, "change what the message names by the options of k8s.New", Mistake}
}

// waiting is why a container does not start. The kubelet's list of reasons grows:
// what is not known is taken for a mistake, with its message.
func waiting(w *corev1.ContainerStateWaiting, events string) *Obstacle {
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
		return &Obstacle{executor.NotStarted, events, "create what is missing, or change the options that name it", Mistake}
	case "InvalidImageName":
		return &Obstacle{executor.ImagePull, text, "give a valid name (k8s.Image)", Hopeless}
	case "ErrImageNeverPull":
		return &Obstacle{executor.ImagePull, text, "let nodes pull it (k8s.PullPolicy), or load it into them", Hopeless}
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed":
		return &Obstacle{executor.ImagePull, text, image, Mistake}
	case "CreateContainerConfigError":
		advice := "create what is missing, or change the options that name it"
		if strings.Contains(w.Message, "runAsNonRoot") {
			advice = "see k8s.RunAs"
		}
		return &Obstacle{executor.NotStarted, text, advice, Mistake}
	}
	return &Obstacle{executor.NotStarted, text, "see the message", Mistake}
}

// Err is the end of a worker that was kept too long.
func (o *Obstacle) Err(worker string, kept time.Duration) *executor.Error {
	return &executor.Error{Reason: o.Reason, Message: fmt.Sprintf(
		"the %s did not start within %v, and its Job was deleted: %s; %s", worker, kept.Round(time.Second), o.Message, o.Advice)}
}
