package mops

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Options are typed by where they mean something, so that a meaningless one
// does not compile: an [Option] is valid everywhere, the others in one place.
type (
	// Option is a setting of calls. It is valid in [Define], [Func.With],
	// [WithOptions], [Func.All], [Func.Each], [Main], [Init] and [New].
	//
	// If several places set the same thing, the first of these wins: MOPS_*
	// environment variables, config entries with force, Force, the options of All and
	// Each, With, WithOptions, Define, the config file, Main or New, the default.
	// Of several options of one place the last wins.
	Option interface {
		FuncOption
		EnvOption
		EachOption
		set(*settings)
	}

	// FuncOption is a property of a function: [Version], [Calls], [ReadFrom],
	// [ByInput], and every Option.
	FuncOption interface{ setFunc(*funcOptions) }

	// EnvOption is a property of an environment: [Config], [LogTo],
	// [Executor], and every Option.
	EnvOption interface{ setEnv(*envOptions) }

	// EachOption shapes one fan-out: [Concurrency], and every Option.
	EachOption interface{ setEach(*eachOptions) }
)

// settings are what options set. A nil field is not set here.
type settings struct {
	config.Settings
	on     executor.Executor
	by     *byInput // in place of on
	here   bool     // where that is another place than this process, run here all the same
	detach *bool

	retryIf func(error) bool
}

// runsOn sets where calls run.
func (s *settings) runsOn(where executor.Executor, by *byInput) {
	s.on, s.by, s.Executor, s.here = where, by, nil, false
}

// overlay returns s, with what is set in over in its place.
func (s settings) overlay(over settings) settings {
	s.Settings = s.Settings.Overlay(over.Settings)
	switch {
	case over.on != nil, over.by != nil:
		s.runsOn(over.on, over.by)
	case over.Executor != nil:
		s.on, s.by, s.here = nil, nil, false
	}
	s.here = s.here || over.here
	if over.detach != nil {
		s.detach = over.detach
	}
	if over.retryIf != nil {
		s.retryIf = over.retryIf
	}
	return s
}

type option func(*settings)

func (o option) set(s *settings)           { o(s) }
func (o option) setFunc(f *funcOptions)    { o(&f.settings) }
func (o option) setEnv(e *envOptions)      { o(&e.settings) }
func (o option) setEach(each *eachOptions) { o(&each.settings) }

// Join makes one option of several; the last wins.
func Join(options ...Option) Option {
	return option(func(s *settings) {
		for _, o := range options {
			o.set(s)
		}
	})
}

// Root is the URI of the blob store that keeps the records, such as
// file:///data/mops. A program imports the drivers of stores other than file
// and mem. Default: file://~/.mops.
func Root(uri string) Option {
	return option(func(s *settings) { s.Root = &uri })
}

// Pipeline is the id of a group of calls, a part of their memo URIs: under a
// new one everything is computed anew. It is one segment of at most 64 letters,
// digits, '.', '_' and '-', and begins with a letter or a digit. Default:
// "default".
func Pipeline(id string) Option {
	return option(func(s *settings) { s.Pipeline = &id })
}

// On sets the executor that runs calls; [ByInput] sets it by the input. Default: in
// process. Make an executor
// once and use it again: each has its own limit of how many functions run side
// by side.
//
// In process a function that panics or calls runtime.Goexit fails its own call
// only; os.Exit, a panic on a goroutine that it started, a stack overflow and a
// kill end the whole program. In a subprocess all of these fail the one call,
// with an [ExecError] or, for a panic of its own, a [FuncError]. Start a
// program again after it died: it finds the results that it had computed, takes
// over the calls that it had not finished, and computes nothing twice.
func On(where executor.Executor) Option {
	return option(func(s *settings) { s.runsOn(where, nil) })
}

// Off turns memoization off: functions run in this process, and nothing is read
// from the store or written to it. Off wins over [RequireResults]. Files that
// the function returns stay where it wrote them.
func Off() Option { return flag(func(s *settings) **bool { return &s.Off }) }

// Refresh computes again although there is a result, and replaces that result.
// Within one environment, its workers included, a call is refreshed once; after
// that it is a hit.
func Refresh() Option { return flag(func(s *settings) **bool { return &s.Refresh }) }

// ReadOnly uses results that are there and writes nothing: a call without a
// result runs in this process, and nothing keeps its result. Files that it
// returns stay where it wrote them.
func ReadOnly() Option { return flag(func(s *settings) **bool { return &s.ReadOnly }) }

// RequireResults runs nothing: a call without a result fails with an error that
// is [ErrNoResult] and explains the miss.
func RequireResults() Option { return flag(func(s *settings) **bool { return &s.RequireResults }) }

// KeepErrors treats the error that a function returned like a result: the next
// same call returns it again. By default a call that failed runs again. Errors
// that are no fault of the function are never kept: a worker died, or the store
// was down in a call that the function made.
func KeepErrors() Option { return flag(func(s *settings) **bool { return &s.KeepErrors }) }

// Detach leaves workers running, if they can outlive this process, when the
// call is cancelled or the program ends; the next same call attaches to them.
func Detach() Option { return flag(func(s *settings) **bool { return &s.detach }) }

func flag(field func(*settings) **bool) Option {
	return option(func(s *settings) { on := true; *field(s) = &on })
}

// Timeout bounds each run of the function: the time in which its worker runs. The
// time in which a call waits for a slot or for somebody else does not count, nor
// does that in which a Job waits for its turn, for a node or for its image. A
// run that takes longer fails with the reason executor.DeadlineExceeded. 0, the
// default, means no bound. With a negative value calls fail.
func Timeout(d time.Duration) Option {
	return option(func(s *settings) { s.Timeout = &d })
}

// StorageTTL says how long after their writing the store removes blobs, as the
// lifecycle rules of buckets do. mops then relies on nothing that may be gone
// before it is used: it writes files in the store again, rather than refer to
// them, if they are older than half of that time, and computes a call again if
// its result names files and is older than half of it, unless [RequireResults]
// is set. A result without files counts as long as it is there. Ages go by the
// store's own clock. The time belongs to a store, so all programs that use the
// store must set the same; it should be well over twice as long as the longest
// call takes. 0, the default, means that the store removes nothing by itself.
// With a negative value calls fail.
func StorageTTL(d time.Duration) Option {
	return option(func(s *settings) { s.StorageTTL = &d })
}

type funcOptions struct {
	settings settings
	version  string
	calls    []Callable
	homes    []memokey.Home
	registry *Registry
}

type funcOption func(*funcOptions)

func (o funcOption) setFunc(f *funcOptions) { o(f) }

// Version is the version of a function's meaning, a part of the memo key:
// change it when the function returns something else for the same input. It is
// one segment of at most 64 letters, digits, '.', '_' and '-', and begins with
// a letter or a digit; otherwise [Define] panics. Default: "0".
func Version(version string) FuncOption {
	return funcOption(func(f *funcOptions) { f.version = version })
}

// ReadFrom names an old home of the function,
// <root>/mops1/<pipeline>/<name>@<version>, as it stands in the URIs of its
// calls: if a call has no result, mops looks there for the result of the same
// call, and [Info] then names that URI. So a function can get another name,
// version, pipeline or root and keep its results. Give it several times for
// several homes; mops looks in that order. If the old root needs parameters,
// give them, <root>?endpoint=…/mops1/…, unless it is the root of the call
// itself.
//
// Types and [Calls] must be what they were. mops never writes to an old home
// and copies nothing, and [Refresh] does not look there. A hit costs nothing
// more, a miss one read for each old home. If an old home cannot be opened or
// read, the call fails.
//
// ReadFrom panics if uri does not name a function.
func ReadFrom(uri string) FuncOption {
	home, err := memokey.ParseHome(uri)
	if err != nil {
		panic("mops.ReadFrom: " + err.Error())
	}
	return funcOption(func(f *funcOptions) { f.homes = append(f.homes, home) })
}

// Callable is a function that [Calls] can name: every *Func is one.
type Callable interface{ callee() *function.Function }

// Calls names the memoized functions that a function calls: their versions, and
// those of the functions that they call in turn, become a part of its memo key,
// so that a changed version is computed anew all the way up.
func Calls(functions ...Callable) CallsOption { return callsOption(functions) }

// CallsOption is what [Calls] returns: the one option that [Func.Implement]
// takes.
type CallsOption interface {
	FuncOption
	callees() []Callable
}

type callsOption []Callable

func (o callsOption) callees() []Callable    { return o }
func (o callsOption) setFunc(f *funcOptions) { f.calls = append(f.calls, o...) }

type envOptions struct {
	settings   settings
	forced     settings
	configPath string
	logger     *slog.Logger
	executors  map[string]executor.Executor
	registry   *Registry
	cacheDir   string
	cacheSize  *int64
	readCache  *int64
	progress   string
	observers  []func(Event)
	instrument []func(worker bool) Instruments
	edited     EditPolicy
	plan       bool
	isolated   bool
	keepRun    *bool
	runFields  worker.Fields
}

func gather(options []EnvOption) envOptions {
	o := envOptions{registry: defaultRegistry}
	for _, option := range options {
		option.setEnv(&o)
	}
	return o
}

type envOption func(*envOptions)

func (o envOption) setEnv(e *envOptions) { o(e) }

// Config is the path of the config file; [New] and [Main] fail if it cannot be
// read. Default: MOPS_CONFIG, else the nearest mops.toml, from the current folder up
// to the repository (the folder that has .git) or the home folder, if there is one.
func Config(path string) EnvOption {
	return envOption(func(e *envOptions) { e.configPath = path })
}

// LogTo sets the logger of mops, which functions use, too, through [Logger]. A
// worker gets its logger from the options of its own [Main] or [Init]. Default:
// slog's, if the program has called [slog.SetDefault] before; else text from
// slog.LevelInfo on, to standard error.
func LogTo(logger *slog.Logger) EnvOption {
	return envOption(func(e *envOptions) { e.logger = logger })
}

// Executor gives an executor a name, by which the config file and MOPS_EXECUTOR
// choose it. "inproc" and "subprocess" exist already; giving them again changes
// them, for example how many functions run side by side. Executor panics if the
// name has anything but letters, digits, '.', '_' and '-', if the executor is
// nil, and if one that does not run in process is to be "inproc".
func Executor(name string, where executor.Executor) EnvOption {
	switch {
	case memokey.ValidPipeline(name) != nil:
		panic(fmt.Sprintf("mops.Executor: %q is no name for an executor: use letters, digits, '.', '_' and '-'", name))
	case where == nil:
		panic(fmt.Sprintf("mops.Executor: %q is nil", name))
	case name == inProcess && !ability.InProcess(where):
		panic(fmt.Sprintf("mops.Executor: %q is where functions run in this process, and an executor of kind %s is elsewhere: choose another name", name, where.Name()))
	}
	return envOption(func(e *envOptions) {
		if e.executors == nil {
			e.executors = map[string]executor.Executor{}
		}
		e.executors[name] = where
	})
}

// CacheDir is the folder on this machine for copies of sources and results from
// remote stores, and for hashes of files. Default: MOPS_CACHE, else mops in the
// user's cache folder (os.UserCacheDir). You may delete it at any time.
func CacheDir(path string) EnvOption {
	return envOption(func(e *envOptions) { e.cacheDir = path })
}

// DefaultCacheSize is the bound that [CacheSize] changes: 20 GiB.
const DefaultCacheSize = config.DefaultCacheSize

// CacheSize bounds the copies of sources in [CacheDir], in bytes. All programs
// that share the folder keep to it: the copies go first that were not used for
// longest. Copies in use stay all the same, and so do those used within the
// last hour: with 0 nothing stays longer than that. Default: MOPS_CACHE_SIZE,
// else DefaultCacheSize.
func CacheSize(bytes int64) EnvOption {
	return envOption(func(e *envOptions) { e.cacheSize = &bytes })
}

// Progress sets how [Main] shows progress: "auto" (a live block on a terminal,
// else plain lines), "plain" or "off". With anything else Main fails. Default:
// MOPS_PROGRESS, else auto.
func Progress(mode string) EnvOption {
	return envOption(func(e *envOptions) { e.progress = mode })
}

// Isolated shuts out the program's surroundings: mops reads no config file and
// no MOPS_* variable, keeps no run unless [KeepRun] says so, and keeps nothing on this machine
// outside of [CacheDir]. It is for tests.
func Isolated() EnvOption {
	return envOption(func(e *envOptions) { e.isolated = true })
}

// Plan makes the run of the program a plan, as MOPS_PLAN=1 does: a call whose
// result is there returns it, and a call without one is not computed but fails
// with an error that is [ErrPlanned]. So the program goes as far as it can without
// that result. [Func.All] and [Func.Each] go on to the other inputs, even if the
// program leaves the loop over the results, and up to 1,000,000 further ones. Nothing
// is written to a store. [Env.Close], which [Main] calls, prints for each function
// how many calls were hits and how many are to be computed, with the time, the
// CPU-hours and the memory that earlier runs took, on standard error. A program
// that ends with ErrPlanned exits with 3.
func Plan() EnvOption {
	return envOption(func(e *envOptions) { e.plan = true })
}

// RegistryOption is what [In] returns: it is valid wherever functions are
// defined or looked up.
type RegistryOption interface {
	FuncOption
	EnvOption
	in() *Registry
}

type registryOption struct{ registry *Registry }

func (o registryOption) in() *Registry          { return o.registry }
func (o registryOption) setFunc(f *funcOptions) { f.registry = o.registry }
func (o registryOption) setEnv(e *envOptions)   { e.registry = o.registry }

// In replaces the program's registry by another: for tests that define
// functions.
func In(registry *Registry) RegistryOption { return registryOption{registry} }

type eachOptions struct {
	settings    settings
	concurrency int
}

type eachOption func(*eachOptions)

func (o eachOption) setEach(e *eachOptions) { o(e) }

// DefaultConcurrency is how many calls of one fan-out are under way at once,
// unless [Concurrency] changes it.
const DefaultConcurrency = 1000

// Concurrency is how many calls of one [Func.All] or [Func.Each] are under way
// at once, those included that wait for a free slot of their executor. Less
// than 1 is 1. Default: [DefaultConcurrency].
func Concurrency(n int) EachOption {
	return eachOption(func(e *eachOptions) { e.concurrency = max(n, 1) })
}
