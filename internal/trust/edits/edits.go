// Package edits finds out, when a program starts, whether the sources of its
// locked functions are still what was locked, so that who edits a function and
// runs the program is not given results of the code before. It stands on package
// snapshot, which knows in milliseconds that nothing was edited, and has the
// command mops-lock look where something was: programs do not link what reads Go.
package edits

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/snapshot"
)

// Sources are the packages of a program that have locks and lie, as they were
// compiled, on this machine.
type Sources struct {
	cacheDir string
	packages []string // their folders
	paths    []string // as they are imported
	program  program
}

// program is what runs.
type program struct {
	built   time.Time // the file
	fresh   bool      // the go command built it to run it: it is what the sources were then
	started time.Time
}

// started is early enough: who edits while a program starts is not the one who
// started it.
var started = time.Now()

// lacks says that the program was not built from a file written at a time.
func (p program) lacks(written time.Time) bool {
	return written.After(p.started) || !p.fresh && written.After(p.built)
}

// Find finds the sources of packages, which are given with their mops_lock.go files
// as the compiler names these. A program that was built with -trimpath, or runs on
// another machine, has none.
func Find(locks map[string]string, cacheDir string) *Sources {
	s := &Sources{}
	if absolute, err := filepath.Abs(cacheDir); err == nil {
		s.cacheDir = absolute // the command runs elsewhere
	}
	for _, file := range slices.Sorted(maps.Keys(locks)) {
		if !filepath.IsAbs(file) || filepath.Base(file) != code.LockFile || copied(file) {
			continue
		}
		if _, err := os.Stat(file); err == nil {
			s.packages = append(s.packages, filepath.Dir(file))
			s.paths = append(s.paths, locks[file])
		}
	}
	s.program.started = started
	path, err := os.Executable()
	if err != nil {
		return s
	}
	if info, err := os.Stat(path); err == nil {
		s.program.built = info.ModTime()
	}
	s.program.fresh = process.BuiltToRun(path)
	return s
}

// copied says that a file lies in a copy of a module of others, in vendor or in
// the module cache, which nobody edits.
func copied(file string) bool {
	for part := range strings.SplitSeq(filepath.ToSlash(file), "/") {
		if part == "vendor" || strings.Contains(part, "@v") {
			return true
		}
	}
	return false
}

// None says that there is nothing to look at.
func (s *Sources) None() bool { return len(s.packages) == 0 }

// Found is what is known of the packages' functions.
type Found struct {
	Functions map[string]Function // by name

	Unknown []string // packages of which nobody knows whether they were edited

	// Unbuilt is a file that was written after the program was built: by which code
	// the program computes, nobody can tell.
	Unbuilt string
}

// Function is what the code of a function is.
type Function struct {
	Version  string            // in the source
	Hash     string            // of the code, or of the text of all that it may use: see Unread
	Code     *code.Fingerprint // nil if it is what was locked, or not known
	Accepted bool              // it is what was locked, or was declared equal to it
}

// Unread begins the hash of code that was edited and that nobody could read: no
// fingerprint is equal to it.
const Unread = "edited-"

// Remembered is what this machine knows of the sources, as far as nothing was
// edited since; ok says that this is all there is to know.
func (s *Sources) Remembered() (found Found, ok bool) {
	found.Functions, ok = map[string]Function{}, true
	for _, dir := range s.packages {
		known, err := snapshot.Load(s.cacheDir, dir)
		if err != nil || !known.Fresh(runtime.Version()) {
			ok = false
			continue
		}
		s.add(&found, known, true)
	}
	return found, ok
}

func (s *Sources) add(found *Found, known *snapshot.Snapshot, fresh bool) {
	if file, at := known.State.Written(); s.program.lacks(at) {
		found.Unbuilt = file
	}
	for _, f := range known.Functions {
		switch {
		case f.Hash == "": // it cannot be followed
		case fresh:
			found.Functions[f.Name] = Function{Version: f.Version, Hash: f.Hash, Code: f.Code, Accepted: f.Accepted}
		default:
			found.Functions[f.Name] = Function{Version: f.Version, Hash: Unread + known.State.Sum()}
		}
	}
}

// lookTime bounds how long the command may take: compiling what a large program
// needs takes minutes, once for a version of Go.
const lookTime = 5 * time.Minute

// Look has the command mops-lock look at the sources. The error says why it
// could not, and Found is then what is known without it.
func (s *Sources) Look(ctx context.Context) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	err := s.check(ctx)
	found, ok := s.Remembered()
	if ok {
		return found, nil
	}
	for i, dir := range s.packages {
		known, err := snapshot.Load(s.cacheDir, dir)
		switch {
		case err != nil:
			found.Unknown = append(found.Unknown, s.paths[i])
		case !known.Fresh(runtime.Version()):
			s.add(&found, known, false)
		}
	}
	if err == nil {
		err = errors.New("somebody edits them at this moment")
	}
	return found, err
}

// ErrNoTool says that mops-lock is a tool neither of the module in the current
// folder nor of the sources' own.
var ErrNoTool = errors.New("mops-lock is no tool of the module: go get -tool github.com/TrilliantHealth/mops-go/cmd/mops-lock")

// check runs the command: the one of the module that a person is in, who may have
// edited what that replaces, or else of the sources' own.
func (s *Sources) check(ctx context.Context) error {
	here, err := os.Getwd()
	if err == nil {
		err = s.checkFrom(ctx, here)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if other := s.checkFrom(ctx, s.packages[0]); !errors.Is(other, ErrNoTool) {
		return other
	}
	return err
}

func (s *Sources) checkFrom(ctx context.Context, dir string) error {
	command := exec.CommandContext(ctx, "go", append([]string{"tool", "mops-lock", "--check"}, s.paths...)...)
	command.Dir = dir
	command.Env = append(os.Environ(), "MOPS_CACHE="+s.cacheDir)
	command.WaitDelay = time.Second
	var said bytes.Buffer
	command.Stderr = &said
	err := command.Run()
	var exit *exec.ExitError
	switch text := strings.TrimSpace(said.String()); {
	case err == nil, errors.As(err, &exit) && exit.ExitCode() == 1 && !strings.HasPrefix(text, "go: "): // it found something
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Contains(text, `no such tool "mops-lock"`):
		return ErrNoTool
	case text != "":
		return fmt.Errorf("go tool mops-lock: %s", text)
	}
	return fmt.Errorf("go tool mops-lock: %w", err)
}
