package look

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// runAgain starts the program as a worker that keeps its result to itself, and
// returns the record of that. What it prints is shown on standard error. A program
// whose code is known is not warned that it is another build than its caller.
func runAgain(ctx context.Context, a *cli.App, x roots.Address, program []string, by record.Origin, dir string) ([]byte, error) {
	made := filepath.Join(dir, "made")
	spec := specAgain(x, "verify", made)
	spec.Origin = by
	return asWorker(ctx, a, x.Store, program, spec, dir, made)
}

// specAgain is what a worker is told that runs a stored call again and leaves in a
// file what the function returned.
func specAgain(x roots.Address, as, made string) worker.Spec {
	pipeline := x.Call.Pipeline
	return worker.Spec{
		Assignment: worker.Assignment{
			ID: runs.New("", as, runs.NewRunID()), Terms: worker.Terms{Pipeline: pipeline, CodeCheck: code.Off}, Chain: worker.Chain{worker.Link(x.Call.Key)},
		},
		Surroundings: worker.Surroundings{Defaults: config.Settings{Pipeline: &pipeline}},
		Path:         x.Call.Path(), Function: x.Call.Name, Verify: made,
	}
}

// programCodes asks the program by which code it computes its functions.
func programCodes(ctx context.Context, a *cli.App, store *blob.Store, program []string) (map[string]worker.FunctionCode, error) {
	dir, err := os.MkdirTemp("", "mops-verify-")
	if err != nil {
		return nil, fmt.Errorf("a folder for what the program says cannot be made (set TMPDIR to one that is writable): %w", err)
	}
	defer os.RemoveAll(dir)
	said := filepath.Join(dir, "codes")
	text, err := asWorker(ctx, a, store, program, worker.Spec{Codes: said}, dir, said)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case notStarted(err):
		return nil, fmt.Errorf("the program cannot be started: %w", err)
	case err != nil:
		return nil, fmt.Errorf("the program does not say by which code it computes (it must be built with a release of mops that records code): %w", err)
	}
	var all []worker.FunctionCode
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("what the program says of its code: %w", err)
	}
	codes := map[string]worker.FunctionCode{}
	for _, f := range all {
		codes[f.Name] = f
	}
	return codes, nil
}

// asWorker starts a program as a worker of a root, and returns what it left in a
// file.
func asWorker(ctx context.Context, a *cli.App, store *blob.Store, program []string, spec worker.Spec, dir, made string) ([]byte, error) {
	variable, err := specVariable(a, store, spec)
	if err != nil {
		return nil, err
	}
	printed := cli.NewTextWriter(a.Stderr)
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	// Files that the function returns stay in its temporary folder, and go with it.
	cmd.Env = append(os.Environ(), variable, "TMPDIR="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var last lastLine
	output := io.MultiWriter(printed, &last)
	cmd.Stdout, cmd.Stderr = output, output // one writer: what it prints keeps its order
	err = cmd.Run()
	printed.Flush()
	if cmd.Process == nil {
		return nil, err
	}
	data, readErr := os.ReadFile(made)
	switch {
	case readErr == nil:
		return data, nil
	case err != nil && last.text() != "":
		return nil, errors.New(last.text())
	case err != nil:
		return nil, fmt.Errorf("the program ended with %w", err)
	}
	return nil, errors.New("the program did not act as a worker: one that calls mops.Main, or mops.Init first of all in main, does")
}

// specVariable is the variable that makes a program a worker of a root.
func specVariable(a *cli.App, store *blob.Store, spec worker.Spec) (string, error) {
	root := store.Address()
	spec.Root, spec.Defaults.Root = root, &root
	found, err := config.Find("", a.Lookup) // as the program itself would find it
	if err != nil {
		return "", err
	}
	if spec.Config = found.Path; spec.Config != "" {
		if spec.Config, err = filepath.Abs(spec.Config); err != nil {
			return "", err
		}
	}
	encoded, err := spec.Encode()
	return worker.Variable + "=" + encoded, err
}

// lastLine keeps the end of what a worker says.
type lastLine struct{ end []byte }

func (l *lastLine) Write(p []byte) (int, error) {
	const most = 4 << 10
	l.end = append(l.end, p...)
	l.end = l.end[max(len(l.end)-most, 0):]
	return len(p), nil
}

func (l *lastLine) text() string {
	lines := strings.Split(strings.TrimSpace(string(l.end)), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "mops worker: ")
}

// notStarted says that there was no such program to start.
func notStarted(err error) bool {
	return errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}
