package image

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// program is the file that the image runs. It stays open, so that it is the
// same all along.
type program struct {
	file   *os.File
	size   int64
	name   string
	loader string // of a dynamically linked program, such as /lib64/ld-linux-x86-64.so.2
	opens  bool   // it may open libraries while it runs: that of a GPU's driver, say
}

// machines are those of programs, by GOARCH.
var machines = map[string]elf.Machine{
	"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "loong64": elf.EM_LOONGARCH,
	"ppc64le": elf.EM_PPC64, "riscv64": elf.EM_RISCV, "s390x": elf.EM_S390,
}

// machineOf is the machine of a platform; 0 if no image can be made for it.
func machineOf(platform string) elf.Machine {
	architecture, isLinux := strings.CutPrefix(platform, "linux/")
	if !isLinux {
		return 0
	}
	return machines[architecture]
}

func (s *settings) architecture() string { return strings.TrimPrefix(s.platform, "linux/") }

// checkPlatforms checks that an image can be made for each platform, and that each
// of the user's files is for one of them.
func (s *settings) checkPlatforms() error {
	if len(s.platforms) == 0 {
		return errors.New("Platforms() names none; leave it out for linux/amd64")
	}
	given := map[elf.Machine]string{} // by machine, the file for it
	for _, platform := range s.platforms {
		machine := machineOf(platform)
		if machine == 0 {
			return fmt.Errorf("images cannot be made for platform %q; it has to be like linux/amd64 or linux/arm64", platform)
		}
		if _, twice := given[machine]; twice {
			return fmt.Errorf("Platforms names %s twice", platform)
		}
		given[machine] = ""
	}
	for _, path := range s.binaries {
		machine, err := s.machineIn(path)
		if err != nil {
			return err
		}
		other, wanted := given[machine]
		switch {
		case !wanted:
			return fmt.Errorf("%s is a program for %v, which %s is not; build it with %s, or see image.Platforms",
				path, machine, strings.Join(s.platforms, ", "), howToBuild(s.platforms[0]))
		case other != "":
			return fmt.Errorf("%s and %s are both programs for %v; give image.Binary one for each platform", other, path, machine)
		}
		given[machine] = path
	}
	return nil
}

// machineIn is the machine that one of the user's files says it is for.
func (s *settings) machineIn(path string) (elf.Machine, error) {
	file, err := openfile.Regular(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	headers, err := elf.NewFile(file)
	if err != nil {
		return 0, fmt.Errorf("%s is no program for Linux: %w; build it with %s", path, err, howToBuild(s.platforms[0]))
	}
	return headers.Machine, nil
}

// binary is the user's file for the platform; "" if there is none.
func (s *settings) binary() (string, error) {
	for _, path := range s.binaries {
		if machine, err := s.machineIn(path); err != nil || machine == machineOf(s.platform) {
			return path, err
		}
	}
	return "", nil
}

// runsHere reports whether programs of this machine run on the platform.
func (s *settings) runsHere() bool { return runtime.GOOS+"/"+runtime.GOARCH == s.platform }

func (s *settings) program(ctx context.Context) (p program, err error) {
	given, err := s.binary()
	if err != nil {
		return program{}, err
	}
	switch {
	case given != "":
		p.name = filepath.Base(given)
		p.file, err = openfile.Regular(given)
	case s.runsHere():
		if p.name, err = ownName(); err == nil {
			// Linux still has the file after it was removed or built anew.
			p.file, err = os.Open("/proc/self/exe")
		}
	default:
		if p.name, err = ownName(); err == nil {
			p.file, err = s.build(ctx)
		}
	}
	if err != nil {
		return program{}, err
	}
	if err := s.inspect(&p); err != nil {
		p.file.Close()
		return program{}, err
	}
	return p, nil
}

func ownName() (string, error) {
	path, err := os.Executable()
	return strings.TrimSuffix(filepath.Base(path), ".exe"), err
}

// inspect checks the program's platform and reads its loader.
func (s *settings) inspect(p *program) error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	p.size = info.Size()
	headers, err := elf.NewFile(p.file)
	if err != nil {
		return fmt.Errorf("%s is no program for Linux: %w; build it with %s", p.file.Name(), err, howToBuild(s.platform))
	}
	if headers.Machine != machineOf(s.platform) {
		return fmt.Errorf("%s is a program for %v, which %s is not; build it with %s", p.file.Name(), headers.Machine, s.platform, howToBuild(s.platform))
	}
	for _, segment := range headers.Progs {
		if segment.Type == elf.PT_INTERP {
			loader, err := io.ReadAll(segment.Open())
			if err != nil {
				return err
			}
			p.loader = string(bytes.TrimRight(loader, "\x00"))
		}
	}
	imported, err := headers.ImportedSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return err
	}
	p.opens = slices.ContainsFunc(imported, func(symbol elf.ImportedSymbol) bool { return symbol.Name == "dlopen" })
	return nil
}

func howToBuild(platform string) string {
	return fmt.Sprintf("GOOS=linux GOARCH=%s CGO_ENABLED=0 go build", strings.TrimPrefix(platform, "linux/"))
}

// libraryFolder is where the default base has shared libraries, beside the
// loader.
const libraryFolder = "/usr/local/lib"

// What a program that opens libraries has besides, on the default base. The library
// comes from the node, and the rest of the C library that it needs has to be of the
// same release as the program's: so the image has it. Google's GPU nodes have the
// driver's libraries in a folder that no loader searches by itself.
const (
	restOfC      = "libdl.so.2 libm.so.6 libpthread.so.0 librt.so.1"
	driverFolder = "/usr/local/nvidia/lib64"
)

// libraries are the files that load the program: the loader, at the path that
// the program names, and the shared libraries that this machine's loader finds.
func (s *settings) libraries(ctx context.Context, p program) ([]entry, error) {
	if p.loader == "" {
		return nil, nil
	}
	advice := fmt.Errorf("build it with %s, or name a Base that has its libraries", howToBuild(s.platform))
	if !s.runsHere() {
		return nil, fmt.Errorf("%s is linked dynamically, and its libraries for %s are not on this machine; %w", p.file.Name(), s.platform, advice)
	}
	// As ldd does, but for the very file that is open (ld.so(8), --list).
	list := exec.CommandContext(ctx, p.loader, "--list", "/proc/self/fd/3")
	list.ExtraFiles = []*os.File{p.file}
	if p.opens {
		list.Env = append(os.Environ(), "LD_PRELOAD="+restOfC) // a loader ignores those that are not there
	}
	out, err := list.Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(e.Stderr))
		}
		return nil, fmt.Errorf("the libraries of %s were not found: %w; %w", p.name, err, advice)
	}
	loader, err := copied(p.loader, p.loader)
	if err != nil {
		return nil, err
	}
	all := []entry{loader}
	for line := range strings.Lines(string(out)) {
		// libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f…)
		name, rest, ok := strings.Cut(strings.TrimSpace(line), " => ")
		from, _, _ := strings.Cut(rest, " (0x")
		if !ok || from == p.loader {
			continue
		}
		library, err := copied(filepath.Join(libraryFolder, filepath.Base(name)), from)
		if err != nil {
			return nil, fmt.Errorf("a library of %s: %w; %w", p.name, err, advice)
		}
		all = append(all, library)
	}
	return all, nil
}

func (p program) entry() entry {
	open := func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(p.file, 0, p.size)), nil }
	return entry{"/usr/local/bin/" + p.name, 0o755, p.size, open}
}
