package mops

import (
	"context"
	goflag "flag"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/cluster/archive"
	"github.com/TrilliantHealth/mops-go/internal/engine/agent"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
)

// Init is for programs with a main of their own: call it first in main, before
// flags are parsed, with the options that the functions need in a worker. In a
// process that was started as a worker, Init runs the worker and never returns;
// elsewhere it does nothing.
func Init(options ...EnvOption) {
	initialised.Store(true)
	// A worker takes no arguments, so an argument tells mops k8s cp from a worker.
	// Ask for it first: a process started by mops k8s cp has the worker's
	// environment, too.
	if code, asked := archive.Serve(os.Args, os.Stdin, os.Stdout, os.Stderr); asked {
		os.Exit(code)
	}
	if code, asked := agent.Serve(); asked {
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

var initialised atomic.Bool // by Init or Main

// noWorker is what to do so that this program becomes a worker; "" if it does.
func noWorker() string {
	switch {
	case initialised.Load():
		return ""
	case goflag.Lookup("test.v") != nil:
		return "add to a test file of this package\n\n\tfunc TestMain(m *testing.M) {\n\t\tmops.Init()\n\t\tos.Exit(m.Run())\n\t}\n"
	}
	return "call mops.Init first in main, or use mops.Main"
}

func runWorker(spec worker.Spec, options []EnvOption) int {
	if spec.Supervised {
		return worker.Supervise(spec)
	}
	inherited, _ := inherit.Take() // first of all: nobody else may find its variable or files
	defer inherited.Close()
	s := staying{options: options, inherited: inherited}
	defer s.close()
	for {
		code := s.run(context.Background(), spec)
		if !inherited.Next(code) {
			return code
		}
		var err error
		if spec, _, err = worker.TakeSpec(); err != nil {
			fmt.Fprintln(os.Stderr, "mops worker:", err)
			return exitFailed
		}
	}
}

// staying is a worker that runs one call after another. Calls with the same
// surroundings share an environment, and so its session and its files.
type staying struct {
	options   []EnvOption
	inherited *inherit.Pipes
	env       *Env
	tree      *worker.Tree // of the environment
	around    string       // the surroundings of the environment
}

func (s *staying) close() {
	if s.env != nil {
		s.env.Close()
	}
	if s.tree != nil {
		s.tree.Close()
	}
	s.env, s.tree = nil, nil
}

func (s *staying) run(ctx context.Context, spec worker.Spec) int {
	if err := s.prepare(ctx, spec); err != nil {
		return spec.Refuse(err)
	}
	env := s.env
	p := worker.Process{
		Spec: spec, Inherited: s.inherited, Registry: gather(s.options).registry.functions, Files: env.files, Logger: env.logger,
		Root: env.engine.Root, Begin: env.instruments.beginner(spec),
		Context: func(ctx context.Context) context.Context {
			if spec.Context == (config.Settings{}) {
				return env.Context(ctx)
			}
			above := settings{Settings: spec.Context}
			return env.Context(context.WithValue(ctx, settingsKey{}, &above))
		},
	}
	if s.tree != nil {
		p.Slot = worker.Slot{Pool: s.tree, Holder: spec.Tree.Holder}
	}
	return p.Main(ctx)
}

// prepare makes an environment for the call, unless the last one is of the same
// surroundings.
func (s *staying) prepare(ctx context.Context, spec worker.Spec) error {
	around, err := spec.Surroundings.Key()
	if err != nil {
		return err
	}
	if s.env != nil && s.around == around {
		return nil
	}
	s.close()
	s.tree, s.around = spec.Tree, around
	s.env, err = newEnv(ctx, s.options, inside{worker: true, spec: spec})
	return err
}
