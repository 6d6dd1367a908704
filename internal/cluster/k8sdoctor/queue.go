package k8sdoctor

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/doctor"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// queue asks Kueue for a Workload, if calls would wait in a queue of its. Without the
// permission they wait all the same.
func (e *exam) queue(ctx context.Context) {
	job, err := k8s.Program{Settings: e.By}.Job(ctx, append([]k8s.Option{k8s.Image("any")}, e.Jobs...)...)
	if err != nil || job.Labels[kube.QueueLabel] == "" || e.absent {
		return
	}
	e.doing("queue")
	kueue := kube.Kueue{Client: e.Client.Discovery().RESTClient()}
	_, err = kueue.Turns(ctx, e.Namespace, "none")
	const rule = "Kueue is there, and you may list workloads, to see why Jobs wait in a queue."
	switch {
	case apierrors.IsForbidden(err):
		e.say(doctor.Line{Name: "queue", Verdict: doctor.Warn, Rule: rule, Found: "Jobs will wait without saying why: " + err.Error(), ToDo: e.grant() + " --kueue"})
	case apierrors.IsNotFound(err):
		turn := kube.NoTurnOf(err)
		e.check("queue", rule, turn.Advice, func() (string, error) { return "", errors.New(turn.Message) })
	default:
		e.check("queue", rule, "see the message", func() (string, error) { return "Jobs will wait in the queue " + job.Labels[kube.QueueLabel], err })
	}
}
