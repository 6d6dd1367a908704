package k8s_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	. "github.com/TrilliantHealth/mops-go/k8s"
)

func TestLaunch(t *testing.T) {
	t.Parallel()
	_, c, namespace := simulated(t)
	options := func(more ...Option) []Option {
		return append([]Option{Kubeconfig(c.Kubeconfig), Namespace(namespace), Image("program:1")}, more...)
	}
	for _, code := range []int{0, 3, executor.ExitFunc} {
		p := Program{Output: new(strings.Builder)}
		if exit, err := Launch(t.Context(), p, options(ends(code, 0))...); err != nil || exit.Code != code || exit.Err != nil {
			t.Errorf("%d: %+v, %v", code, exit, err)
		}
	}
	_, err := Launch(t.Context(), Program{}, options(ends(137, 0))...)
	failsWith(t, err, executor.Signalled, "SIGKILL")

	ctx, cancel := context.WithCancel(t.Context())
	worker, err := Program{Name: "long"}.Start(ctx, options(ends(0, time.Hour))...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Launch(ctx, Program{Name: "long"}, options()...)
	failsWith(t, err, executor.LaunchRejected, "another Job has the name")
	cancel()
	if _, err := kube.Finish(ctx, worker); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, there := jobIn(t, c, worker.Handle()); there {
		t.Error("the end of the context left the Job behind")
	}
}
