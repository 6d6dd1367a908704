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
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/snapshot"
)

// Sources are the packages of a program that have locks and lie, as they were
// compiled, on this machine.
type Sources struct {
	cacheDir string
	packages []string // their folders
	program  program
}

// program is the file that runs.
type program struct {
	path  string
	built time.Time
	fresh bool // the go command built it to run it: it is what the sources are
}

// Find finds the packages of mops_lock.go files, as the compiler names these. A
// program that was built with -trimpath, or runs on another machine, has none.
func Find(lockFiles []string, cacheDir string) *Sources {
	s := &Sources{}
	if absolute, err := filepath.Abs(cacheDir); err == nil {
		s.cacheDir = absolute // the command runs elsewhere
	}
	for _, file := range lockFiles {
		if !filepath.IsAbs(file) || filepath.Base(file) != code.LockFile {
			continue
		}
		if _, err := os.Stat(file); err == nil {
			s.packages = append(s.packages, filepath.Dir(file))
		}
	}
	path, err := os.Executable()
	if err != nil {
		return s
	}
	s.program.path = path
	if info, err := os.Stat(path); err == nil {
		s.program.built = info.ModTime()
	}
	s.program.fresh = builtToRun(path)
	return s
}

// builtToRun says that go run or go test built a program, in a folder of theirs.
func builtToRun(path string) bool {
	if cache := os.Getenv("GOCACHE"); cache != "" && strings.HasPrefix(path, cache+string(filepath.Separator)) {
		return true
	}
	for part := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		if strings.HasPrefix(part, "go-build") {
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
	if file, at := known.State.Written(); !s.program.fresh && at.After(s.program.built) {
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
	for _, dir := range s.packages {
		if known, err := snapshot.Load(s.cacheDir, dir); err == nil && !known.Fresh(runtime.Version()) {
			s.add(&found, known, false)
		}
	}
	if err == nil {
		err = errors.New("somebody edits them at this moment")
	}
	return found, err
}

// check runs the command, as the module of the sources has it among its tools.
func (s *Sources) check(ctx context.Context) error {
	command := exec.CommandContext(ctx, "go", append([]string{"tool", "mops-lock", "--check"}, s.packages...)...)
	command.Dir = s.packages[0]
	command.Env = append(os.Environ(), "MOPS_CACHE="+s.cacheDir)
	command.WaitDelay = time.Second
	var said bytes.Buffer
	command.Stderr = &said
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil, errors.As(err, &exit) && exit.ExitCode() == 1: // it found something
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case said.Len() > 0:
		return fmt.Errorf("go tool mops-lock: %s", strings.TrimSpace(said.String()))
	}
	return fmt.Errorf("go tool mops-lock: %w", err)
}
