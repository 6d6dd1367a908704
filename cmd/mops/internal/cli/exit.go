package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
)

// Exit codes, the same for all commands. They are part of the help.
const (
	ExitOK       = 0
	ExitFailed   = 1
	ExitUsage    = 2
	ExitNotFound = 3
)

// ExitCodes says what they mean.
const ExitCodes = `    0  it worked
    1  it failed; or what was found is damaged, differs (verify) or is unfit (doctor)
    2  the command line makes no sense
    3  what was asked for is not there
  130  it was interrupted (Ctrl-C)
  143  it was ended by SIGTERM
    n  replay, k8s launch, k8s orchestrate: what the program exited with
`

// exitError is a failure with an exit code of its own.
type exitError struct {
	error
	code  int
	usage bool // the command line makes no sense
}

func (e exitError) Unwrap() error { return e.error }

// Exit gives an error the exit code of a program in a pod.
func Exit(code int, err error) error { return exitError{error: err, code: code} }

// Usagef says that the command line makes no sense.
func Usagef(format string, args ...any) error {
	return exitError{fmt.Errorf(format, args...), ExitUsage, true}
}

// Usage says so in the words of an error, of which no more than they remains.
func Usage(err error) error { return Usagef("%s", err.Error()) }

// NotFoundf says that what was asked for is not there.
func NotFoundf(format string, args ...any) error {
	return exitError{error: fmt.Errorf(format, args...), code: ExitNotFound}
}

// IsNotFound reports whether an error says that what was asked for is not there.
func IsNotFound(err error) bool {
	own, ok := errors.AsType[exitError](err)
	return ok && own.code == ExitNotFound
}

// ErrSaid fails a command that has printed already what is wrong.
var ErrSaid = errors.New("said already")

// exit reports an error and returns its code.
func (a *App) exit(command string, err error) int {
	if err == nil {
		return ExitOK
	}
	own, ok := errors.AsType[exitError](err)
	code := own.code
	if !ok {
		code = ExitFailed
	}
	if errors.Is(err, ErrSaid) {
		return code
	}
	prefix := strings.TrimRight("mops "+command, " ")
	message := strings.ReplaceAll(errtree.Printable(err), "\n", "\n  ")
	fmt.Fprintf(a.Stderr, "%s: %s\n", prefix, message)
	if own.usage {
		fmt.Fprintf(a.Stderr, "  mops help%s says how it is used\n", strings.TrimPrefix(prefix, "mops"))
	}
	return code
}
