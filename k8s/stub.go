package k8s

import (
	"context"
	"errors"

	"github.com/TrilliantHealth/mops-go/executor"
)

type watch struct{}

func (e *Executor) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	return nil, errors.ErrUnsupported
}

func (e *Executor) Attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	return nil, errors.ErrUnsupported
}
