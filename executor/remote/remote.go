// Package remote is the executor for machines without Kubernetes: it starts workers
// through a command line that reaches one, such as ssh, srun, sudo or docker.
//
// The command only has to run a shell there and connect its input and output with
// ours: remote appends "sh" to it and says everything else through that shell's
// standard input, so nothing has to be quoted, and nothing, such as a variable with a
// secret, stands on a command line for others to read. There, the shell starts the
// same program as an agent, which runs the worker as a subprocess. A program that a
// machine does not have yet is sent to it through the same connection, into a folder
// of its user (see [New]), under its SHA-256.
//
// Worker and caller talk through the store alone: the root must be one that both
// reach, a folder of a shared file system or a cloud store, for which each machine has
// credentials of its own.
package remote

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Executor starts workers through a command. It is safe for concurrent use.
type Executor struct {
	through, again []string
	stage          executor.Stage // while the command brings us there
	handshakes     chan struct{}  // a place for each connection that is being made; nil: any number
	limit          int
	pack           time.Duration // 0: each call has a worker of its own
	sideBySide     int           // 0: see SideBySide
	env            []string
	grace          time.Duration
	roots          []mountedRoot
	program        string // path; "" is the running one
	patience       time.Duration

	binary  func() (*binary, error)
	sending sync.Mutex // held while the program is sent, which others wait for
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Limited  = (*Executor)(nil)
	_ executor.Mounter  = (*Executor)(nil)
	_ executor.Namer    = (*Executor)(nil)
	_ executor.Packer   = (*Executor)(nil)
	_ executor.Remote   = (*Executor)(nil)
)

// Option is a setting for [New].
type Option func(*Executor)

// WorkerName stands for the name of the worker in the arguments of [Through] and
// [Again]: lower-case letters, digits and hyphens, different for each.
const WorkerName = "{{name}}"

// Through sets the command that reaches the machine: Through("sudo", "-n", "-u",
// "models"). It must run "sh", which is appended as its last argument, and connect
// its standard input and output with that; what it prints on standard error explains a
// failure. It has no terminal, so it cannot ask for a password. When this program dies,
// nobody reads what it prints; a worker is to outlive that, which takes --sig-proxy=false
// for podman run.
func Through(command ...string) Option {
	return func(e *Executor) { e.through = slices.Clone(command) }
}

// Again sets the command that reaches the place of a worker that runs already, for a
// program that lost the connection to it or takes it over from one that died:
// Again("podman", "exec", "-i", remote.WorkerName). The default is that of [Through],
// which suits commands that always lead to the same machine.
func Again(command ...string) Option {
	return func(e *Executor) { e.again = slices.Clone(command) }
}

// SSH reaches a machine by ssh: destination is what ssh takes, such as user@host or a
// name of ~/.ssh/config, and arguments are further ones of ssh. It asks for no password
// or confirmation, and notices within a minute when the connection is dead.
func SSH(destination string, arguments ...string) Option {
	return func(e *Executor) {
		command := []string{"ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15"}
		e.through = append(append(command, arguments...), "--", destination)
		// By default, sshd drops some of more than ten that have not logged in yet.
		e.handshakes = make(chan struct{}, 8)
	}
}

// Slurm runs each worker as a job of Slurm, by srun with these arguments, such as
// "--cpus-per-task=4", "--mem=8G" and "--time=2:00:00". The job has the worker's name.
// A worker that was started already is reached by squeue and srun --overlap.
func Slurm(arguments ...string) Option {
	return func(e *Executor) {
		command := []string{"srun", "--ntasks=1", "--unbuffered", "--job-name=" + WorkerName}
		e.through = append(command, arguments...)
		e.again = []string{"sh", "-c", slurmAgain, WorkerName}
		e.stage = executor.Queued
	}
}

// slurmAgain reaches the job with a worker's name. That may end at any moment.
const slurmAgain = `running() { squeue --noheader --me --name="$1" --states=RUNNING --format=%A; }
jobs=$(running "$0") || exit
for job in $jobs; do
	srun --ntasks=1 --unbuffered --overlap --jobid="$job" "$1" && exit
	code=$?
	jobs=$(running "$0") || exit
	[ -z "$jobs" ] || exit $code
done
echo '` + goneLine + `'`

// Docker runs each worker in a container of its own, by docker run with these arguments:
// options, such as "--volume=/data:/data", and the image last, which needs a shell and the
// usual small programs. The container has the worker's name. A worker that was started
// already is reached by docker exec.
//
// The program goes into each container anew, unless a volume keeps it: see [New] for
// where it lies. If the image has another C library than this machine, the program must
// be built with CGO_ENABLED=0.
func Docker(arguments ...string) Option {
	return func(e *Executor) {
		// podman would remove the container when this program dies while the worker prints:
		// for its signals' sake it heeds SIGPIPE, too.
		command := []string{"docker", "run", "--rm", "--interactive", "--sig-proxy=false", "--name", WorkerName}
		e.through = append(command, arguments...)
		e.again = []string{"sh", "-c", dockerAgain, WorkerName}
	}
}

// dockerAgain reaches the container with a worker's name. That may end at any moment.
const dockerAgain = `docker exec --interactive "$0" "$1" && exit
code=$?
there=$(docker ps --quiet --filter "name=^$0\$") || exit
[ -z "$there" ] || exit $code
echo '` + goneLine + `'`

// usualLimit is the default of [Limit].
const usualLimit = 16

// Limit sets how many functions may run side by side; 0 or less means no limit. The
// default is 16. Each worker has a process of the command on this machine. The
// orchestrator keeps the limit, not the executor.
func Limit(n int) Option {
	return func(e *Executor) { e.limit = max(n, 0) }
}

// Env adds variables, written "KEY=value", to the environment of every worker. They
// travel through the connection and stand on no command line.
func Env(variables ...string) Option {
	return func(e *Executor) { e.env = append(e.env, variables...) }
}

// Grace sets the time between SIGTERM and SIGKILL for a worker that is being stopped.
// The default is 10 s.
func Grace(d time.Duration) Option {
	return func(e *Executor) { e.grace = d }
}

// Program sets the file that is started there instead of the running program: a build
// of the same source for that machine, where it is of another platform.
func Program(path string) Option {
	return func(e *Executor) { e.program = path }
}

// mountedRoot is the place at which workers find a root.
type mountedRoot struct{ from, to string }

// Root tells that workers find a root, and all below it, at another place:
// Root("file:///data", "file:///mnt/data") for a shared file system that is mounted
// elsewhere there. Of several that hold for a root, the longest counts.
func Root(from, to string) Option {
	from, to = strings.TrimRight(from, "/"), strings.TrimRight(to, "/")
	return func(e *Executor) { e.roots = append(e.roots, mountedRoot{from, to}) }
}

// New returns an executor that starts this program where the command leads that
// [Through], [SSH], [Slurm] or [Docker] set; without one of them, each Start fails. There, the
// program lies in the folder programs of $MOPS_CACHE, $XDG_CACHE_HOME/mops or
// ~/.cache/mops; one that was not started for 30 days is removed when another comes.
func New(options ...Option) *Executor {
	e := &Executor{stage: executor.Starting, limit: usualLimit, grace: 10 * time.Second, patience: usualPatience}
	for _, option := range options {
		option(e)
	}
	if e.again == nil {
		e.again = e.through
	}
	e.binary = sync.OnceValues(func() (*binary, error) { return binaryOf(e.program) })
	return e
}

func (e *Executor) Name() string { return "remote" }

// Limit returns how many functions may run side by side; 0 means no limit. While calls
// are put together, it is how many mops lets in: Packing says how many run.
func (e *Executor) Limit() int {
	if e.pack > 0 {
		return packWindow
	}
	return e.limit
}

// RunsRemotely returns true: workers keep their output in the store by themselves.
func (e *Executor) RunsRemotely() bool { return true }

// StartsItself reports whether workers are this program, started elsewhere, which then
// has to become one: not with [Program].
func (e *Executor) StartsItself() bool { return e.program == "" }

// RootFor is the place at which workers find a root; see [Root].
func (e *Executor) RootFor(root string) string {
	place, longest := root, -1
	for _, r := range e.roots {
		rest, ok := strings.CutPrefix(root, r.from)
		if ok && (rest == "" || rest[0] == '/') && len(r.from) >= longest {
			place, longest = r.to+rest, len(r.from)
		}
	}
	return place
}
