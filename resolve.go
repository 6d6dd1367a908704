package mops

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Force gives options that win over all others in the code, those of [Define], With,
// WithOptions, All and Each: for tests, and for a flag such as --here of a program, which gives [InProcess].
// Only entries of the config file with force and variables win over Force. Calls
// that functions make in other processes heed it, too, but for [Detach],
// [On] and [ByInput]: with one of the last two such calls run in the worker that makes them.
func Force(options ...Option) EnvOption {
	return envOption(func(e *envOptions) {
		for _, o := range options {
			o.set(&e.forced)
		}
	})
}

// InProcess has calls run in this process: on the executor that is chosen for them,
// if that is one of this process, else on that named "inproc".
func InProcess() Option { return option(func(s *settings) { s.here = true }) }

// handOn is what workers hear of forced options.
func handOn(forced settings) config.Settings {
	if forced.on != nil || forced.by != nil || forced.here {
		forced.Executor = new(string(inProcess))
	}
	return forced.Settings
}

// heed adds to the options that are forced here what handOn told of those of the
// caller.
func (s settings) heed(told config.Settings) settings {
	here := told.Executor != nil
	told.Executor = nil
	s = s.overlay(settings{Settings: told})
	s.here = s.here || here
	return s
}

// WithOptions returns a context with options for all calls made with it, and in
// turn for the calls that their functions make, in other processes, too. Only
// [On] and [Detach] end with the process: calls of a worker run in the worker,
// unless its own code says where.
func WithOptions(ctx context.Context, options ...Option) context.Context {
	s := settings{}
	if outer := contextSettings(ctx); outer != nil {
		s = *outer
	}
	for _, o := range options {
		o.set(&s)
	}
	return context.WithValue(ctx, settingsKey{}, &s)
}

type settingsKey struct{}

func contextSettings(ctx context.Context) *settings {
	s, _ := ctx.Value(settingsKey{}).(*settings)
	return s
}

// settled is what an environment settled for a function, for contexts without
// options: worked out once, since a hit takes only microseconds.
type settled struct {
	env      *Env
	settings *orchestrate.Settings
}

// resolve settles how to make a call of a function; see Option for the order.
func (env *Env) resolve(ctx context.Context, f *function.Function, defined, with settings, known *atomic.Pointer[settled]) (*orchestrate.Settings, error) {
	onContext := contextSettings(ctx)
	if onContext == nil {
		if s := known.Load(); s != nil && s.env == env {
			return s.settings, nil
		}
	}
	stack := env.stack(f.Name, defined, with, onContext)
	s := stack.sum()
	made, err := env.settle(s)
	if err != nil {
		return made, err
	}
	if env.shown != nil {
		env.shown.call(f.Name, env.origins(f.Name, stack))
	}
	if s.retryIf != nil {
		made.RetryIf = func(uri string, failed error) bool { return s.retryIf(public(f.Name, uri, failed)) }
	}
	if onContext != nil {
		made.Context = onContext.Settings
	} else {
		known.Store(&settled{env, made})
	}
	return made, nil
}

// base are the settings of a function that sets nothing itself.
func (env *Env) base() (*orchestrate.Settings, error) { return env.settle(env.baseStack().sum()) }

// stack is what all places say of a function, those above over those below: see
// [Option].
type stack [8]settings

// The places in a stack.
const (
	byEnv = iota
	byFile
	byDefine
	byContext
	byWith
	byForce
	byForcedEntry
	byVariable
)

func (env *Env) baseStack() stack {
	return stack{byEnv: env.code, byFile: {Settings: env.file.Defaults}, byForce: env.forced, byVariable: env.environ}
}

func (env *Env) stack(function string, defined, with settings, onContext *settings) stack {
	s := env.baseStack()
	plain, forced := env.file.For(function)
	if env.worker {
		// A worker's place need not suit all that it calls: a call runs in the worker,
		// unless its function says otherwise.
		s[byEnv].runsOn(nil, nil)
		if plain.Executor == env.file.Defaults.Executor {
			plain.Executor = nil
		}
		s[byVariable].Executor = nil
	}
	s[byFile].Settings, s[byDefine], s[byWith], s[byForcedEntry].Settings = plain, defined, with, forced
	if onContext != nil {
		s[byContext] = *onContext
	}
	return s
}

func (s stack) sum() settings {
	sum := s[0]
	for i := range s[1:] {
		sum = sum.overlay(s[1+i])
	}
	return sum
}

func (env *Env) settle(s settings) (*orchestrate.Settings, error) {
	s.Settings = config.Defaults.Overlay(s.Settings)
	settled := &orchestrate.Settings{
		Terms: worker.Terms{Pipeline: *s.Pipeline, Timeout: *s.Timeout, StorageTTL: *s.StorageTTL, CodeCheck: *s.CodeCheck},
		Root:  *s.Root, Retries: *s.Retries, RetryDelay: *s.RetryDelay,
		Off: *s.Off, Refresh: *s.Refresh, ReadOnly: *s.ReadOnly, RequireResults: *s.RequireResults, KeepErrors: *s.KeepErrors,
		Detach: s.detach != nil && *s.detach,
	}
	if err := memokey.ValidPipeline(settled.Pipeline); err != nil {
		return settled, err
	}
	if settled.Timeout < 0 {
		return settled, fmt.Errorf("the option Timeout is %v: give how long a run may take, or 0 for as long as it wants", settled.Timeout)
	}
	if settled.Retries < 0 {
		return settled, fmt.Errorf("the option Retries is %d: give how often a run that failed is tried again, or 0 for never", settled.Retries)
	}
	if settled.RetryDelay < 0 {
		return settled, fmt.Errorf("the option RetryDelay is %v: give how long to wait before another try, or 0 for not at all", settled.RetryDelay)
	}
	if settled.StorageTTL < 0 {
		return settled, fmt.Errorf("the option StorageTTL is %v: give the time after which the store removes blobs, or 0 if it removes none", settled.StorageTTL)
	}
	if !slices.Contains(code.Policies, settled.CodeCheck) {
		return settled, fmt.Errorf("the option CodeCheck is %q: give one of %q", settled.CodeCheck, code.Policies)
	}
	var err error
	switch {
	case settled.Off || settled.ReadOnly: // a worker elsewhere would need the store
		settled.Executor = env.executors[inProcess]
	case s.here && s.by != nil:
		settled.Executor = env.executors[inProcess]
	case s.by != nil:
		settled.ByInput = s.by.chooser(env)
		return settled, nil
	case s.on != nil:
		settled.Executor = s.on
	default:
		settled.Executor, err = env.executor(*s.Executor)
	}
	if err == nil && s.here && !ability.InProcess(settled.Executor) {
		settled.Executor = env.executors[inProcess]
	}
	if err == nil {
		settled.Executor, err = env.guarded(settled.Executor)
	}
	return settled, err
}

// guarded holds executors of others to their contract. The two that most
// programs use keep it, as their conformance suite shows, and go without a
// guard, which costs a goroutine for each call.
func (env *Env) guarded(where executor.Executor) (executor.Executor, error) {
	switch e := where.(type) {
	case *inproc.Executor:
		if e != nil {
			return where, nil
		}
	case *subprocess.Executor:
		if e != nil {
			return where, nil
		}
	}
	return orchestrate.Guard(where, func(name string) executor.Settings {
		return executor.Settings{File: env.file.Executors[name], Environ: env.executorEnviron[name]}
	})
}

// inProcess is the name of the executor that is always there.
const inProcess = "inproc"

func (env *Env) executor(name string) (executor.Executor, error) {
	if e, ok := env.executors[name]; ok {
		return e, nil
	}
	known := slices.Sorted(maps.Keys(env.executors))
	return nil, fmt.Errorf("there is no executor named %q: the config file or MOPS_EXECUTOR names it, and this program has %s; give it with mops.Executor(%q, …)",
		name, strings.Join(known, ", "), name)
}
