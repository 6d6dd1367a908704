package image

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// run runs an image as a container would: with no files but the image's, and as
// its user.
func run(t *testing.T, image v1.Image, arguments ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("left out: only root on Linux may run a program within other files (chroot)")
	}
	root := t.TempDir()
	if err := errors.Join(os.Chmod(root, 0o755), os.Chmod(filepath.Dir(root), 0o755)); err != nil {
		t.Fatal(err)
	}
	content := mutate.Extract(image)
	defer content.Close()
	untar(t, content, func(name string, mode os.FileMode, data []byte) {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if mode.IsDir() {
			err = errors.Join(err, os.Mkdir(path, 0o755), os.Chmod(path, mode))
		} else {
			err = errors.Join(err, os.WriteFile(path, data, mode))
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, config.Config.Entrypoint[0], arguments...)
	command.Dir, command.Env = "/", config.Config.Env
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}

const helloSays = "hello from linux/amd64\nI am nonroot (65532) in /tmp\nauthorities: true\n/tmp/x: <nil>\n/x: open /x: permission denied\n"

func TestProgramRuns(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skipf("left out: the program is for amd64, this is %s", runtime.GOARCH)
	}
	for name, environment := range map[string][]string{
		"static":  {"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"},
		"dynamic": {"CGO_ENABLED=1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath("gcc"); err != nil && name == "dynamic" {
				t.Skipf("left out: linking dynamically takes a C compiler: %v", err)
			}
			s := start(t, nil)
			image, _ := fetch(t, publish(t, s.repository(), Binary(hello(t, environment...))))
			if got := run(t, image); got != helloSays {
				t.Errorf("it says\n%swant\n%s", got, helloSays)
			}
		})
	}
}

// A program that opens libraries while it runs has the whole C library for them, and
// finds those that a GPU node brings.
func TestProgramThatOpensLibraries(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skipf("left out: the program is for amd64, this is %s", runtime.GOARCH)
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skipf("left out: linking dynamically takes a C compiler: %v", err)
	}
	program := filepath.Join(t.TempDir(), "opens")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./testdata/opens")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := start(t, nil)
	image, _ := fetch(t, publish(t, s.repository(), Binary(program)))
	libraries := strings.Fields(restOfC)
	want := strings.Join(libraries, ": opened\n") + ": opened\n/usr/local/lib:/usr/local/nvidia/lib64\n"
	if got := run(t, image, libraries...); got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
}

// The running program is the test itself, in whatever way it was linked.
func TestRunningProgram(t *testing.T) {
	if platform := runtime.GOOS + "/" + runtime.GOARCH; platform != "linux/amd64" && platform != "linux/arm64" {
		t.Skipf("left out: on %s, it would be built", platform)
	}
	s := start(t, nil)
	image, config := fetch(t, publish(t, s.repository(), Platforms(runtime.GOOS+"/"+runtime.GOARCH)))
	if got, want := config.Config.Entrypoint[0], "/usr/local/bin/"+filepath.Base(os.Args[0]); got != want {
		t.Errorf("the entry point is %s, want %s", got, want)
	}
	if got := run(t, image, "-test.run=^$"); !strings.Contains(got, "PASS") {
		t.Errorf("the test says %q", got)
	}
}
