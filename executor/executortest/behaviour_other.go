//go:build !unix

package executortest

import "context"

func ignoreTermination() {}

func signalSelf(context.Context, script) int { return 1 }
