//go:build !linux && !darwin

package process

import (
	"context"
	"errors"
)

// Elsewhere nothing is known of other processes: an identity matches nothing.

func bootID() string { return "" }

func pidNamespace() string { return "" }

func stat(int) (status, error) { return status{}, errors.ErrUnsupported }

func wait(ctx context.Context, _ int, ended func() bool) error { return poll(ctx, ended) }

func group(int) ([]member, error) { return nil, errors.ErrUnsupported }
