package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// program is the tool for one platform.
type program struct {
	path                 string
	system, architecture string // GOOS and GOARCH
	info                 *buildinfo.BuildInfo
	version              string    // without the v
	made                 time.Time // when its commit was made: the time of all files
}

// cloneCommit makes a repository of the checkout's commit, with its tags, from which
// the go command takes the version. A checkout may be a worktree, which the go command
// does not know as a repository.
func cloneCommit(ctx context.Context, checkout, folder string) error {
	commit, err := output(ctx, checkout, nil, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if _, err := output(ctx, checkout, nil, "git", "clone", "--quiet", "--no-checkout", ".", folder); err != nil {
		return err
	}
	_, err = output(ctx, folder, nil, "git", "checkout", "--quiet", "--detach", strings.TrimSpace(commit))
	return err
}

// recipe is how the go command builds.
type recipe struct{ flags, variables []string }

// reproducible builds with nothing that another machine may lack or have otherwise: no C
// compiler, no paths of this machine, no flags of who builds.
var reproducible = recipe{
	flags:     []string{"-trimpath", "-ldflags=-s -w"},
	variables: []string{"GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off"},
}

func (r recipe) build(ctx context.Context, source, folder, platform string) (p program, err error) {
	p.system, p.architecture, _ = strings.Cut(platform, "/")
	p.path = filepath.Join(folder, "mops")
	variables := append([]string{"GOOS=" + p.system, "GOARCH=" + p.architecture}, r.variables...)
	arguments := slices.Concat([]string{"build", "-buildvcs=true", "-o", p.path}, r.flags, []string{"./cmd/mops"})
	if _, err := output(ctx, source, variables, "go", arguments...); err != nil {
		return p, fmt.Errorf("%s: %w", platform, err)
	}
	if p.info, err = buildinfo.ReadFile(p.path); err != nil {
		return p, err
	}
	settings := map[string]string{}
	for _, s := range p.info.Settings {
		settings[s.Key] = s.Value
	}
	version, versioned := strings.CutPrefix(p.info.Main.Version, "v")
	if !versioned || settings["vcs.modified"] != "false" {
		return p, fmt.Errorf("%s: the go command does not tell which commit the program is of: its version is %q, vcs.modified is %q", platform, p.info.Main.Version, settings["vcs.modified"])
	}
	p.version = version
	p.made, err = time.Parse(time.RFC3339, settings["vcs.time"])
	return p, err
}

// output runs a command in a folder. Its error says what the command said.
func output(ctx context.Context, folder string, variables []string, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), variables...)
	out, err := command.Output()
	if e, failed := errors.AsType[*exec.ExitError](err); failed {
		err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(e.Stderr))
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(arguments, " "), err)
	}
	return string(out), nil
}
