// Package command runs programs in other languages within memoized functions: a
// script and its files are a part of the input, so that a call is computed anew when
// they change. It stands upon the root package, as a user's program does.
package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

// Script is a program that an interpreter reads, as a part of a function's input. The
// content of all its files is in the memo key, and so are the words of the command
// line. The interpreter itself and what is installed for it are not: if results depend
// on them, put their versions into the input, too.
type Script struct {
	Interpreter []string    // "python3", or "Rscript", "--vanilla": found as by a shell
	Files       mops.Source // the script, or a folder with it and with all that it reads
	Name        string      // of the script within the folder; "" if Files is the script
	Args        []string    // words behind the script
}

// Run runs the script in a function: it gets in as JSON on its standard input, and
// what it prints is decoded into out, which may be nil if that does not matter. Out is
// decoded strictly: a field that it lacks is an error. Both are as in encoding/json;
// a source cannot be in them, but its path can.
//
// The script runs in the folder of [mops.OutDir]: files that it writes there can be
// returned as sources. Lines of its standard error go to [mops.Logger]. It has the
// environment of this process. Python writes no compiled files beside the script,
// which may lie in the store.
//
// If it exits with another code than 0, or is killed, the error wraps an *[Error]. When
// ctx ends, the process is killed. Run may be called many times at once.
func (s Script) Run(ctx context.Context, in, out any) error {
	path, err := s.Files.Path(ctx)
	if err != nil {
		return err
	}
	if s.Name != "" {
		path = filepath.Join(path, filepath.FromSlash(s.Name))
	}
	if len(s.Interpreter) == 0 {
		return errors.New("command: Script.Interpreter is empty: say what reads the script, such as \"python3\"")
	}
	line := append(append(append([]string{}, s.Interpreter...), path), s.Args...)
	folder, err := mops.OutDir(ctx)
	if err != nil {
		return err
	}
	question, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("command: the input of %s cannot be written as JSON: %w", s, err)
	}
	process := exec.CommandContext(ctx, line[0], line[1:]...)
	process.Dir = folder
	process.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1") //mops:pure The page says that it is not in the key.
	process.Stdin = bytes.NewReader(question)
	process.WaitDelay = patience
	var answer bytes.Buffer
	process.Stdout = &answer
	said := &log{ctx: ctx}
	process.Stderr = said
	err = process.Run() //mops:pure The script is a part of the input.
	said.end()
	switch exit, exited := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case exited:
		return &Error{Script: s.String(), Code: exit.ExitCode(), State: exit.String(), Tail: said.tail()}
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("command: %s cannot start: there is no %s on this machine: install it, or run the call where it is: %w", s, line[0], err)
	case err != nil:
		return fmt.Errorf("command: %s: %w", s, err)
	case out == nil:
		return nil
	}
	return s.decode(answer.Bytes(), out)
}

// patience is how long a process that was killed may keep its output open, by
// processes that it started.
const patience = 5 * time.Second

func (s Script) decode(answer []byte, out any) error {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(out)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more behind the first value")
		}
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it printed nothing")
	}
	return fmt.Errorf("command: what %s printed is no JSON for %T: %w; its standard output is for the result alone, so let it print all else to standard error. It begins with %.200q", s, out, err, answer)
}

// String names the script in errors: its command line without the folder.
func (s Script) String() string {
	name := s.Name
	if name == "" {
		name = "the script"
	}
	return strings.Join(append(append(append([]string{}, s.Interpreter...), name), s.Args...), " ")
}

// Error says that a script ended without success. It comes back as itself from
// wherever the function ran: errors.AsType[*command.Error](err) finds it in the error
// of a call, and a function can say by the code what is [mops.Final].
type Error struct {
	Script string // its command line
	Code   int    // its exit code; -1 if it was killed
	State  string // "exit status 3", "signal: killed"
	Tail   string // the last lines of its standard error, if any
}

func (e *Error) Error() string {
	message := fmt.Sprintf("command: %s: %s", e.Script, e.State)
	if e.Tail != "" {
		message += "\nits last words:\n" + e.Tail
	}
	return message
}

func init() { mops.RegisterError[*Error]() }

// log gives lines to the logger of the run as they come, and keeps the last ones. One
// goroutine of package exec writes, and has ended when end is called.
type log struct {
	ctx  context.Context
	rest []byte // of a line that has no end yet
	last []string
}

const (
	tailLines = 20
	longest   = 16 << 10 // bytes of a line; the rest counts as the next one
)

func (l *log) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		n, line, _ := bufio.ScanLines(l.rest, false)
		if n == 0 && len(l.rest) > longest {
			n, line = longest, l.rest[:longest]
		}
		if n == 0 {
			return len(p), nil
		}
		l.say(string(line))
		l.rest = append(l.rest[:0], l.rest[n:]...)
	}
}

func (l *log) say(line string) {
	mops.Logger(l.ctx).InfoContext(l.ctx, line)
	l.last = append(l.last, line)
	l.last = l.last[max(0, len(l.last)-tailLines):]
}

func (l *log) end() {
	if len(l.rest) > 0 {
		l.say(string(l.rest))
	}
}

func (l *log) tail() string { return strings.Join(l.last, "\n") }
