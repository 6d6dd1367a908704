package mops

import (
	"context"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/cluster/archive"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
)

// Init is for programs with a main of their own: call it first in main, before
// flags are parsed, with the options that the functions need in a worker. In a
// process that was started as a worker, Init runs the worker and never returns;
// elsewhere it does nothing.
func Init(options ...EnvOption) {
	// A worker takes no arguments, so an argument tells mops k8s cp from a worker.
	// Ask for it first: a process started by mops k8s cp has the worker's
	// environment, too.
	if code, asked := archive.Serve(os.Args, os.Stdin, os.Stdout, os.Stderr); asked {
		os.Exit(code)
	}
	spec, isWorker, err := worker.TakeSpec()
	if !isWorker {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		os.Exit(exitFailed)
	}
	os.Exit(runWorker(spec, options))
}

func runWorker(spec worker.Spec, options []EnvOption) int {
	if spec.Supervised {
		return worker.Supervise(spec)
	}
	inherited, _ := inherit.Take() // first of all: nobody else may find its variable or files
	ctx := context.Background()
	if spec.Tree != nil {
		defer spec.Tree.Close()
	}
	env, err := newEnv(ctx, options, inside{worker: true, spec: spec})
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return exitFailed
	}
	defer env.Close()
	p := worker.Process{
		Spec: spec, Inherited: inherited, Registry: gather(options).registry.functions, Files: env.files, Logger: env.logger,
		Root: env.engine.Root,
		Context: func(ctx context.Context) context.Context {
			if spec.Context == (config.Settings{}) {
				return env.Context(ctx)
			}
			above := settings{Settings: spec.Context}
			return env.Context(context.WithValue(ctx, settingsKey{}, &above))
		},
	}
	if spec.Tree != nil {
		p.Slot = spec.Tree.Slot()
	}
	return p.Main(ctx)
}
