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
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
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

func settingsFor(platform string) *settings {
	s := &settings{platform: platform, platforms: []string{platform}, source: "/nowhere"}
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
		"that needs cgo":       {"github.com/TrilliantHealth/mops-go/image/testdata/needscgo", "it is built without cgo: if it needs that, build it with cgo on a machine of linux/arm64 or with a cross compiler (CC), pass the file to image.Binary"},
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
		"another architecture": {[]Option{static(t), Platforms("linux/arm64", "linux/s390x")}, "is a program for EM_X86_64, which linux/arm64, linux/s390x is not; build it with GOOS=linux GOARCH=arm64"},
		"two files":            {[]Option{static(t), static(t), Platforms("linux/arm64", "linux/amd64")}, "are both programs for EM_X86_64; give image.Binary one for each platform"},
		"no platform":          {[]Option{Platforms()}, "Platforms() names none"},
		"a platform twice":     {[]Option{Platforms("linux/arm64", "linux/arm64")}, "Platforms names linux/arm64 twice"},
		"another system":       {[]Option{Platforms("windows/amd64")}, `images cannot be made for platform "windows/amd64"; it has to be like linux/amd64`},
		"no architecture":      {[]Option{Platforms("linux")}, `images cannot be made for platform "linux"; it has to be like linux/amd64`},
		"a relative path":      {[]Option{static(t), Files(".", "data")}, `Files(".", "data"): the second is the path in the image, which has to be absolute`},
		"missing files":        {[]Option{static(t), Files("/nowhere/x", "/data")}, "/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := FromSelf("127.0.0.1:1/a", append(c.options, quickly)...)(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
