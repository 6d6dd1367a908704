// Command mops shows what a root holds: calls, their inputs, results, errors,
// leases and logs. It reads records without the programs that wrote them, removes
// what is no longer wanted, and checks whether a root is fit for use. It stands
// above all other packages of mops and is imported by none.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/TrilliantHealth/mops-go/internal/text"

	_ "github.com/TrilliantHealth/mops-go/blob/azureblob" // the roots that the tool can open
	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	_ "github.com/TrilliantHealth/mops-go/blob/gcsblob"
	_ "github.com/TrilliantHealth/mops-go/blob/memblob"
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what is left to clean up
	a := &app{stdout: os.Stdout, text: newTextWriter(os.Stdout), stderr: os.Stderr, lookup: os.LookupEnv, now: time.Now}
	code := a.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// commands are in the order of the overview.
func commands() []command {
	return []command{
		inspectCommand, lsCommand, logsCommand, whyCommand, leaseCommand, verifyCommand, summaryCommand,
		doctorCommand, gcCommand, versionCommand,
		jobsCommand, launchCommand, orchestrateCommand, copyCommand, rbacCommand,
	}
}

// app is the tool's surroundings.
type app struct {
	stdout io.Writer   // for programs: JSON, and bytes as they are
	text   *textWriter // for people; it ends in stdout too
	stderr io.Writer
	lookup func(string) (string, bool) // of the environment
	now    func() time.Time
	once   bool // roots are opened so that each operation is tried once

	client func(*rest.Config) (kubernetes.Interface, error) // of a cluster; nil: the real one
}

// main runs a command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	if len(args) == 0 {
		a.overview(a.stderr)
		return exitUsage
	}
	name, args := word(args)
	switch name {
	case "help", "-h", "-help", "--help":
		err := a.help(args)
		a.text.Flush()
		return a.exit("help", err)
	case "k8s", "k8s help", "k8s -h", "k8s -help", "k8s --help":
		return a.clusterOverview(name != "k8s")
	case "-version", "--version":
		name = "version"
	}
	c, err := find(name)
	if err != nil {
		return a.exit("", err)
	}
	err = c.run(ctx, a, args)
	if flushErr := a.text.Flush(); err == nil && !errors.Is(flushErr, syscall.EPIPE) {
		err = flushErr // who reads only the first lines is no failure
	}
	if err != nil && ctx.Err() != nil {
		fmt.Fprintf(a.stderr, "mops %s: interrupted\n", name)
		return exitInterrupted
	}
	return a.exit(name, err)
}

// word takes the name of a command off a command line.
func word(args []string) (name string, rest []string) {
	n := 1
	if args[0] == clusterGroup && len(args) > 1 {
		n = 2
	}
	return strings.Join(args[:n], " "), args[n:]
}

// Exit codes, the same for all commands. They are part of the help.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitInterrupted = 130 // 128 + SIGINT, as shells report it
)

// usageError is a command line that makes no sense.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// notFoundError says that what was asked for is not there.
type notFoundError struct{ message string }

func (e notFoundError) Error() string { return e.message }

func notFoundf(format string, args ...any) error { return notFoundError{fmt.Sprintf(format, args...)} }

// errSaid fails a command that has printed already what is wrong.
var errSaid = errors.New("said already")

// exitError is a failure with an exit code of its own: a program's in a pod.
type exitError struct {
	code int
	error
}

func (e exitError) Unwrap() error { return e.error }

// exit reports an error and returns its code.
func (a *app) exit(command string, err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	if _, ok := errors.AsType[notFoundError](err); ok {
		code = exitNotFound
	}
	if e, ok := errors.AsType[exitError](err); ok {
		code = e.code
	}
	if errors.Is(err, errSaid) {
		return code
	}
	prefix := strings.TrimRight("mops "+command, " ")
	message := strings.ReplaceAll(text.CleanLines(err.Error()), "\n", "\n  ")
	fmt.Fprintf(a.stderr, "%s: %s\n", prefix, message)
	if _, ok := errors.AsType[usageError](err); ok {
		code = exitUsage
		fmt.Fprintf(a.stderr, "  mops help%s says how it is used\n", strings.TrimPrefix(prefix, "mops"))
	}
	return code
}
