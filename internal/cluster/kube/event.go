package kube

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Complaint is the latest of the events of one object, if it is a warning: the
// trouble of earlier ones has passed.
func Complaint(events []corev1.Event) string {
	var latest *corev1.Event
	for i := range events {
		if latest == nil || !eventTime(&events[i]).Before(eventTime(latest)) {
			latest = &events[i]
		}
	}
	if latest == nil || latest.Type != corev1.EventTypeWarning {
		return ""
	}
	return latest.Reason + ": " + latest.Message
}

func eventTime(e *corev1.Event) (at time.Time) {
	times := []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time}
	if e.Series != nil {
		times = append(times, e.Series.LastObservedTime.Time)
	}
	for _, t := range times {
		if t.After(at) {
			at = t
		}
	}
	return at
}
