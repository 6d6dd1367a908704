package main

import (
	"bytes"
	"context"
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
	"github.com/TrilliantHealth/mops-go/internal/config"
	"github.com/TrilliantHealth/mops-go/internal/explain"
	"github.com/TrilliantHealth/mops-go/internal/record"
	"github.com/TrilliantHealth/mops-go/internal/runs"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// verify runs one call again. The error is for what stops the whole command.
func (a *app) verify(ctx context.Context, x address, program []string) (verifyView, error) {
	v := verifyView{
		URI: x.uri(), Differences: []differenceView{},
		words: explain.Words(x.path), function: x.call.Name + "@" + x.call.Version,
	}
	stored, err := x.place().Result(ctx)
	if blob.Is(err, blob.NotFound) {
		return v, notFoundf("%s has no result to compare with", x.uri())
	}
	if err != nil {
		return v, err
	}
	var header record.ResultHeader
	if err := stored.Into(&header); err != nil {
		return v, err
	}
	v.Stored = header.Run.WallSeconds
	if _, err := x.place().Invocation(ctx); blob.Is(err, blob.NotFound) {
		v.Verdict, v.Problem = notRun, "its input is not known: the result was put there by hand"
		return v, nil
	}
	dir, err := os.MkdirTemp("", "mops-verify-")
	if err != nil {
		return v, fmt.Errorf("a folder for the new result cannot be made (set TMPDIR to one that is writable): %w", err)
	}
	defer os.RemoveAll(dir)
	made, err := a.runAgain(ctx, x, program, dir)
	switch {
	case ctx.Err() != nil:
		return v, ctx.Err()
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return v, fmt.Errorf("the program cannot be started: %w", err)
	case err != nil:
		v.Verdict, v.Problem = notRun, err.Error()
		return v, nil
	}
	return v, v.judge(ctx, stored.Body, made)
}

// judge compares the stored result with the record of the new one.
func (v *verifyView) judge(ctx context.Context, stored, made []byte) error {
	if fresh, err := record.Open(record.KindResult, made); err == nil {
		var header record.ResultHeader
		if err := fresh.Into(&header); err != nil {
			return err
		}
		v.Seconds, v.Verdict = header.Run.WallSeconds, pass
		if !bytes.Equal(stored, fresh.Body) {
			v.compareBodies(ctx, stored, fresh.Body)
		}
		return nil
	}
	fresh, err := record.Open(record.KindError, made)
	if err != nil {
		return fmt.Errorf("what the program left: %w", err)
	}
	var header record.ErrorHeader
	if err := fresh.Into(&header); err != nil {
		return err
	}
	v.Seconds, v.Verdict, v.Problem = header.Run.WallSeconds, failed, "it failed this time: "+header.Message
	return nil
}

// runAgain starts the program as a worker that keeps its result to itself, and
// returns the record of that. What it prints is shown on standard error.
func (a *app) runAgain(ctx context.Context, x address, program []string, dir string) ([]byte, error) {
	root, pipeline := x.store.Address(), x.call.Pipeline
	configPath, found := config.Find("", a.lookup) // as the program itself would find it
	if found {
		var err error
		if configPath, err = filepath.Abs(configPath); err != nil {
			return nil, err
		}
	}
	made := filepath.Join(dir, "made")
	spec, err := worker.Spec{
		Root: root, Path: x.path, Function: x.call.Name, Pipeline: pipeline, ID: runs.New("", "verify"),
		Chain:  (*worker.Chain)(nil).Push(x.call.Key).Links(),
		Config: configPath, Defaults: config.Settings{Root: &root, Pipeline: &pipeline}, Verify: made,
	}.Encode()
	if err != nil {
		return nil, err
	}
	printed := newTextWriter(a.stderr)
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	// Files that the function returns stay in its temporary folder, and go with it.
	cmd.Env = append(os.Environ(), worker.Variable+"="+spec, "TMPDIR="+dir)
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
