package image

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func untar(t *testing.T, from io.Reader, each func(name string, mode os.FileMode, data []byte)) {
	t.Helper()
	for archive := tar.NewReader(from); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		each(strings.TrimSuffix(header.Name, "/"), header.FileInfo().Mode(), data)
	}
}

// run runs an image as a container would: with no files but the image's, and as
// its user.
func run(t *testing.T, image v1.Image, arguments ...string) string {
	t.Helper()
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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

// The running program is the test itself, in whatever way it was linked.
func TestRunningProgram(t *testing.T) {
	if platform := runtime.GOOS + "/" + runtime.GOARCH; platform != "linux/amd64" && platform != "linux/arm64" {
		t.Skipf("left out: on %s, it would be built", platform)
	}
	s := start(t, nil)
	image, config := fetch(t, publish(t, s.repository(), Platform(runtime.GOOS+"/"+runtime.GOARCH)))
	if got, want := config.Config.Entrypoint[0], "/usr/local/bin/"+filepath.Base(os.Args[0]); got != want {
		t.Errorf("the entry point is %s, want %s", got, want)
	}
	if got := run(t, image, "-test.run=^$"); !strings.Contains(got, "PASS") {
		t.Errorf("the test says %q", got)
	}
}

func settingsFor(platform string) *settings {
	s := &settings{platform: platform, source: "/nowhere"}
	quickly(s)
	return s
}

func TestBuildForAnotherPlatform(t *testing.T) {
	const module = "github.com/TrilliantHealth/mops-go/image"
	s := settingsFor("linux/arm64")
	tagged := []debug.BuildSetting{{Key: "-tags", Value: "a,b"}, {Key: "-ldflags", Value: "-X main.a=b -X main.c=d"}}
	file, err := s.buildFrom(t.Context(), &debug.BuildInfo{Path: module + "/testdata/hello", Settings: tagged})
	if err != nil {
		t.Fatal(err)
	}
	p := program{file: file}
	defer file.Close()
	if err := s.inspect(&p); err != nil {
		t.Fatal(err)
	}
	if headers, err := elf.NewFile(file); err != nil || headers.Machine != elf.EM_AARCH64 || p.loader != "" {
		t.Errorf("built was %v, loaded by %q, %v", headers.FileHeader, p.loader, err)
	}
	if _, err := os.Stat(file.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the built file is left behind: %v", err)
	}
	info, err := buildinfo.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if tags := setting(info, "-tags"); tags != "a,b" {
		t.Errorf("it was built with the tags %q", tags)
	}
	again, err := s.buildFrom(t.Context(), &debug.BuildInfo{Path: module + "/testdata/hello", Settings: tagged})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	one, _ := io.ReadAll(io.NewSectionReader(file, 0, 1<<30))
	two, _ := io.ReadAll(again)
	if len(one) == 0 || !bytes.Equal(one, two) {
		t.Errorf("two builds of one source differ (%d and %d bytes)", len(one), len(two))
	}
}

func TestBuildThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"single files":         {"command-line-arguments", "start it as a package, as in go run ., or build it for linux/arm64 by GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build, and pass the file to image.Binary"},
		"unknown":              {"", "pass the file to image.Binary"},
		"another module":       {"example.com/other", "the source of example.com/other, from which it would be built for linux/arm64, was not found"},
		"a dependency":         {"golang.org/x/term", "was not found: it is in another module than the working directory; start the program in its module, or"},
		"that does not build":  {"github.com/TrilliantHealth/mops-go/image/testdata/broken", "undefined: missing"},
		"tests without source": {"example.com/other.test", "the source of example.com/other,"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := settingsFor("linux/arm64").buildFrom(t.Context(), &debug.BuildInfo{Path: c.path})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestBuildThatNobodyWaitsFor(t *testing.T) {
	mine := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(mine)
	if _, err := settingsFor("linux/arm64").buildFrom(ctx, &debug.BuildInfo{Path: "example.com/other"}); err != mine {
		t.Errorf("got %v", err)
	}
}

func TestProgramThatCannotRunThere(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec true\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options []Option
		want    string
	}{
		"no program":           {[]Option{Binary(script)}, "is no program for Linux: bad magic number '[35 33 47 98]' in record at byte 0x0; build it with GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build"},
		"no file":              {[]Option{Binary("/nowhere/x")}, "open /nowhere/x: no such file or directory"},
		"another architecture": {[]Option{static(t), Platform("linux/arm64")}, "is a program for EM_X86_64, which linux/arm64 is not; build it with GOOS=linux GOARCH=arm64"},
		"another system":       {[]Option{Platform("windows/amd64")}, `images cannot be made for platform "windows/amd64"; it has to be like linux/amd64`},
		"no architecture":      {[]Option{Platform("linux")}, `images cannot be made for platform "linux"; it has to be like linux/amd64`},
		"a relative path":      {[]Option{static(t), Files(".", "data")}, `Files(".", "data"): the second is the path in the image, which has to be absolute`},
		"missing files":        {[]Option{static(t), Files("/nowhere/x", "/data")}, "/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := FromSelf("127.0.0.1:1/a", append(c.options, quickly)...)(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
