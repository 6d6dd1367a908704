package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// build builds the running program for the platform.
func (s *settings) build(ctx context.Context) (*os.File, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, fmt.Errorf("it is not known what this program was built from; %s", s.instead())
	}
	return s.buildFrom(ctx, info)
}

// instead is the advice for a program that cannot be built.
func (s *settings) instead() string {
	return fmt.Sprintf("build it for %s by %s, and pass the file to image.Binary", s.platform, howToBuild(s.platform))
}

func (s *settings) buildFrom(ctx context.Context, info *debug.BuildInfo) (*os.File, error) {
	path, isTest := strings.CutSuffix(info.Path, ".test") // as go test names its programs
	if path == "" || path == "command-line-arguments" {
		return nil, fmt.Errorf("this program was built from single files, so what to build for %s is not known: start it as a package, as in go run ., or %s", s.platform, s.instead())
	}
	folder, err := s.module(ctx, path)
	if err != nil {
		return nil, err
	}
	s.logger.Info("building the program for the cluster", "package", info.Path, "platform", s.platform)
	temporary, err := os.MkdirTemp("", "mops-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary) // an open file stays
	out := filepath.Join(temporary, "program")
	arguments := []string{"build", "-buildvcs=false"}
	if isTest {
		arguments = []string{"test", "-c"}
	}
	// Without tables of symbols it is a third smaller; traces of panics need none.
	arguments = append(arguments, "-trimpath", "-ldflags=-s -w "+setting(info, "-ldflags"), "-tags="+setting(info, "-tags"), "-o", out, path)
	if _, err := s.goCommand(ctx, folder, arguments...); ctx.Err() != nil {
		return nil, context.Cause(ctx)
	} else if err != nil {
		return nil, fmt.Errorf("building %s for %s: %w; it is built without cgo: if it needs that, build it with cgo on a machine of %[2]s or with a cross compiler (CC), "+
			"pass the file to image.Binary, and name an image.Base that has its C libraries", path, s.platform, err)
	}
	return os.Open(out)
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// module finds a folder from which the package is in the main module: the
// folder of the file that called FromSelf, or the working directory.
func (s *settings) module(ctx context.Context, path string) (string, error) {
	var failed error
	for _, folder := range []string{s.source, "."} {
		if folder != "." && !filepath.IsAbs(folder) {
			continue // built with -trimpath
		}
		out, err := s.goCommand(ctx, folder, "list", "-e", "-f", "{{with .Module}}{{.Main}}{{end}}", path)
		if err == nil && strings.TrimSpace(out) == "true" {
			return folder, nil
		}
		failed = err
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if failed == nil {
		failed = errors.New("it is in another module than the working directory")
	}
	return "", fmt.Errorf("the source of %s, from which it would be built for %s, was not found: %w; start the program in its module, or %s",
		path, s.platform, failed, s.instead())
}

func (s *settings) goCommand(ctx context.Context, folder string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+s.architecture(), "CGO_ENABLED=0")
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) } // go then ends its compilers
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", fmt.Errorf("go %s: %w\n%s", arguments[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}
