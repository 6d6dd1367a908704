package mops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/base/progress"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/journal"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"

	_ "github.com/TrilliantHealth/mops-go/blob/fileblob" // file:// and mem:// are always there
	_ "github.com/TrilliantHealth/mops-go/blob/memblob"
)

// The root and the pipeline of calls for which nothing sets them.
const (
	DefaultRoot     = config.DefaultRoot     // file://~/.mops
	DefaultPipeline = config.DefaultPipeline // default
)

// Env holds what calls need: stores, executors, settings. Most programs have
// one, made by [Main]. It is safe for concurrent use.
type Env struct {
	code      settings // of Main or New
	forced    settings // of Main or New, by Force
	environ   settings // of MOPS_* variables
	file      *config.File
	found     config.Found // the file
	shown     *shown       // nil if nobody wants to see the settings
	executors map[string]executor.Executor

	executorEnviron config.Executors // of MOPS_* variables

	engine      *orchestrate.Engine
	files       *source.Files
	tracker     *progress.Tracker
	events      *event.Stream
	instruments instruments
	logger      *slog.Logger
	worker      bool  // a function in a worker makes the calls
	plan        *plan // nil if calls are computed

	looking     sync.WaitGroup // for edits; see look
	stopLooking func()

	started   time.Time
	runID     string           // of this run of the program, or, in a worker, of that which wanted it
	runFields worker.Fields    // the user's own of that run
	journal   *journal.Journal // keeps it; nil if it is not kept
	closeOnce sync.Once
	closed    error
}

// New makes an environment, for programs that have a main of their own. Such a
// program calls [Init] first. [Env.Context] lets calls find the environment;
// [Env.Close] ends it. New fails if the config file or a MOPS_* variable is not
// valid, or if a function has a type that cannot be encoded. The context bounds
// New only.
func New(ctx context.Context, options ...EnvOption) (*Env, error) {
	return newEnv(ctx, options, inside{})
}

// inside is how an environment differs from the program's own.
type inside struct {
	worker  bool
	spec    worker.Spec // of a worker: the settings of its caller
	output  io.Writer   // for people; standard error by default
	color   bool
	tracker *progress.Tracker
}

// elsewhere reports whether the config file and the variables came from a
// caller on another machine.
func (in inside) elsewhere() bool {
	return in.spec.ConfigText != "" || in.spec.Environ != (config.Settings{}) || in.spec.Executors != nil
}

func newEnv(ctx context.Context, options []EnvOption, in inside) (made *Env, err error) {
	if ctx.Err() != nil {
		return nil, errtree.Tame(context.Cause(ctx))
	}
	if _, missed := os.LookupEnv(worker.Variable); missed {
		return nil, errors.New("mops: this process was started as a worker, and its program did not become one: call mops.Init first in main (in tests: in TestMain), before mops.New")
	}
	o := gather(options)
	if p := o.settings.Pipeline; p != nil {
		if err := memokey.ValidPipeline(*p); err != nil {
			return nil, fmt.Errorf("mops: %w", err)
		}
	}
	if in.output == nil {
		in.output = os.Stderr
	}
	if in.tracker == nil {
		in.tracker = progress.NewTracker()
	}
	if o.logger == nil && programLogs() {
		o.logger = slog.Default()
	}
	if o.logger == nil {
		o.logger = slog.New(slog.NewTextHandler(in.output, nil))
	} else {
		o.logger = slog.New(calm{o.logger.Handler()})
	}
	instruments := newInstruments(&o, in.worker)
	env := &Env{code: o.settings, forced: o.forced, logger: o.logger, tracker: in.tracker, events: new(event.Stream), instruments: instruments, worker: in.worker, started: time.Now(), file: &config.File{}, stopLooking: func() {}}
	env.code.Settings = env.code.Settings.Overlay(in.spec.Defaults)
	env.forced = env.forced.heed(in.spec.Forced)
	configPath, err := env.configure(&o, in)
	if err != nil {
		return nil, fmt.Errorf("mops: %w", err)
	}
	env.executors = map[string]executor.Executor{"inproc": inproc.New(), "subprocess": subprocess.New()}
	for name, e := range o.executors {
		env.executors[name] = e
	}
	cacheDir, err := env.openFiles(&o, in)
	if err != nil {
		return nil, fmt.Errorf("mops: %w", err)
	}
	if env.plan, err = o.planned(in); err != nil {
		return nil, fmt.Errorf("mops: %w", err)
	}
	if err := env.keep(&o, in); err != nil {
		return nil, fmt.Errorf("mops: %w", err)
	}
	defer func() {
		if err != nil {
			env.endRun(exitFailed, false, err)
			env.stopLooking()
			env.looking.Wait()
			env.instruments.close()
		}
	}()
	if in.worker {
		o.registry.functions.Follow(in.spec.Edited)
	} else if !o.isolated {
		if err := env.look(ctx, &o, cacheDir); err != nil {
			return nil, fmt.Errorf("mops: %w", err)
		}
	}
	if err := o.registry.functions.Check(); err != nil {
		return nil, fmt.Errorf("mops: %w", err)
	}
	resultsDir, resultsSize, err := o.resultsCache(cacheDir, o.isolated || in.spec.Isolated)
	if err != nil {
		return nil, fmt.Errorf("mops: %w", err)
	}
	if err := env.show(&o, in); err != nil {
		return nil, fmt.Errorf("mops: %w", err)
	}
	around := in.spec.Surroundings
	around.Config, around.ConfigText = configPath, string(env.file.Text)
	around.Isolated = around.Isolated || o.isolated
	around.Defaults, around.Environ, around.Executors = env.code.Settings, env.environ.Settings, env.executorEnviron
	around.Defaults.Executor, around.Forced = nil, handOn(env.forced)
	env.observe(o.observers)
	env.instruments.listen(env)
	env.engine = orchestrate.New(orchestrate.Options{
		Files: env.files, CacheDir: resultsDir, CacheSize: resultsSize, Events: env.events, Logger: env.logger,
		Surroundings: around, Elsewhere: in.elsewhere(), ProgramRun: env.runID, Fields: env.runFields, RunRoot: env.journal.Address, Plan: env.plan != nil, NoWorker: noWorker(),
		Carry: instruments.carry, Over: instruments.over,
		Output: func(function, memoURI string) io.WriteCloser {
			return progress.NewLines(in.output, progress.Label(function, memoURI), in.color)
		},
	})
	return env, nil
}

func (env *Env) configure(o *envOptions, in inside) (configPath string, err error) {
	if o.isolated || in.spec.Isolated {
		return "", nil
	}
	explicit := o.configPath
	if in.worker {
		explicit = in.spec.Config
	}
	if explicit != "" || !in.worker {
		if env.found, err = config.Find(explicit, os.LookupEnv); err != nil {
			return "", err
		}
	}
	configPath = env.found.Path
	if in.spec.ConfigText != "" {
		configPath = in.spec.Config
		if env.file, err = config.Parse(configPath, []byte(in.spec.ConfigText)); err != nil {
			return "", err
		}
		env.file.Text = []byte(in.spec.ConfigText)
	} else if configPath != "" {
		if configPath, err = filepath.Abs(configPath); err != nil {
			return "", err
		}
		env.found.Path = configPath
		if env.file, err = config.Load(configPath); err != nil {
			return "", err
		}
	}
	env.environ.Settings, err = config.FromEnv(os.LookupEnv)
	var wrong error
	env.executorEnviron, wrong = config.ExecutorsFromEnv(os.LookupEnv)
	if err = errors.Join(err, wrong); err != nil {
		return "", err
	}
	env.environ.Settings = in.spec.Environ.Overlay(env.environ.Settings)
	env.executorEnviron = in.spec.Executors.Overlay(env.executorEnviron)
	if in.spec.Replay != nil { // whatever else is set, nothing is written
		env.environ.ReadOnly = new(true)
	}
	if !in.worker { // the process that started it has said so
		env.warn(o.registry)
	}
	return configPath, nil
}

// openFiles prepares the folders of this machine. A folder that cannot be had
// is no reason to fail: then files are hashed anew.
func (env *Env) openFiles(o *envOptions, in inside) (cache string, err error) {
	cache = o.cacheDir
	if cache == "" && !o.isolated {
		cache = os.Getenv("MOPS_CACHE")
	}
	if cache == "" && !o.isolated {
		if user, err := os.UserCacheDir(); err == nil {
			cache = filepath.Join(user, "mops")
		}
	}
	size, err := o.sourceCacheSize(in)
	if err != nil {
		return "", err
	}
	env.files, err = source.New(source.Options{CacheDir: cache, CacheSize: size, StateDir: cache, Logger: env.logger})
	return cache, err
}

// sourceCacheSize bounds the copies of sources on this machine, in bytes.
func (o *envOptions) sourceCacheSize(in inside) (int64, error) {
	if o.cacheSize != nil {
		return max(*o.cacheSize, 0), nil
	}
	if !o.isolated && !in.spec.Isolated {
		if size, found, err := config.CacheSize(os.LookupEnv); err != nil || found {
			return size, err
		}
	}
	return DefaultCacheSize, nil
}

// Context returns a context on which calls find the environment. Requests to a
// store under it, reads of files included, survive an outage for as long as the
// environment is old: a request that fails may end the whole program, and with
// it all that it computed so far.
func (env *Env) Context(ctx context.Context) context.Context {
	return blob.Patient(context.WithValue(ctx, envKey{}, env), blob.Patience{Since: env.started, What: "this program"})
}

type envKey struct{}

func envOf(ctx context.Context) *Env {
	env, _ := ctx.Value(envKey{}).(*Env)
	return env
}

// Close cancels the calls that are under way, waits until their workers are
// gone, and ends the session, so that others take over unfinished calls at
// once. Nothing can end a function of this process: Close waits for one that
// does not heed its context. Later calls fail with [ErrClosed]; closing again
// returns the same error.
func (env *Env) Close() error {
	err := env.shut()
	env.endRun(exitOK, false, nil)
	return err
}

// shut is Close without the end of the run.
func (env *Env) shut() error {
	env.closeOnce.Do(func() {
		env.endLook()
		env.plan.show(env.engine, env.file.Prices)
		env.closed = errors.Join(env.engine.Close(), env.files.Close())
		env.events.Close()
		env.instruments.close()
	})
	return env.closed
}

// programLogs reports whether the program has called slog.SetDefault. slog does
// not tell, and only the type of its own handler, which has no name, does.
func programLogs() bool { return fmt.Sprintf("%T", slog.Default().Handler()) != "*slog.defaultHandler" }

// calm wraps a user's handler so that its panics end no call: mops logs on
// goroutines of its own, where a panic would end the program.
type calm struct{ slog.Handler }

func (c calm) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() { _ = recover() }()
	return c.Handler.Enabled(ctx, level)
}

func (c calm) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() { _ = recover() }()
	return c.Handler.Handle(ctx, r)
}

func (c calm) WithAttrs(attrs []slog.Attr) (with slog.Handler) {
	with = c
	defer func() { _ = recover() }()
	return calm{c.Handler.WithAttrs(attrs)}
}

func (c calm) WithGroup(name string) (with slog.Handler) {
	with = c
	defer func() { _ = recover() }()
	return calm{c.Handler.WithGroup(name)}
}
