package k8s

import (
	"context"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// createInRoom creates a Job, and waits while the namespace's quota has no room
// for another one, as a pod would.
func (w *worker) createInRoom(ctx context.Context, p *plan) (*batchv1.Job, error) {
	begun := time.Now()
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		job, err := w.watch.cluster.create(ctx, p.job, w.settings.createNamespace)
		grace := w.settings.roomGrace
		if !isOverQuota(err) || grace >= 0 && time.Since(later(begun, w.watch.busySince())) > grace {
			return job, err
		}
		if about := (line{w.settings.log(), executor.LaunchRejected, kube.NoRoom}); w.watch.mayTell(about) {
			about.to.Warn("Jobs cannot be created yet", "first", w.name, "error", err, "given_up_after", grace)
		}
		if !sleep.For(ctx, pause) {
			return nil, ctx.Err()
		}
	}
}

func isOverQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// mayTell reports whether it is time for a line about something, and notes that
// the line is being logged.
func (w *watch) mayTell(about line) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.told[about]) < tellAgainIn {
		return false
	}
	set(&w.told, about, time.Now())
	return true
}
