package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

// Everything that is made is used as its readers use it, for the platform that runs
// the test. Without MOPS_SOAK=1, the tool is built as tests build it, so that what they
// compiled serves here, too.
func TestRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: builds the tool from a clone")
	}
	how, soak := recipe{variables: []string{"GOFLAGS="}}, os.Getenv("MOPS_SOAK") != ""
	if soak {
		how = reproducible
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	first := t.TempDir()
	names, err := how.release(t.Context(), "..", first, []string{platform})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the same bytes twice", func(t *testing.T) {
		if !soak {
			t.Skip("left out without MOPS_SOAK=1: builds all of the tool's modules anew, as a release has them, for minutes")
		}
		second := t.TempDir()
		again, err := how.release(t.Context(), "..", second, []string{platform})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(names, again) {
			t.Errorf("the files are %q, and then %q", names, again)
		}
		for _, name := range names {
			if !bytes.Equal(read(t, filepath.Join(first, name)), read(t, filepath.Join(second, name))) {
				t.Errorf("%s is different", name)
			}
		}
	})
	t.Run("checksums", func(t *testing.T) {
		listed := map[string]bool{checksums: true}
		for line := range strings.Lines(string(read(t, filepath.Join(first, checksums)))) {
			sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
			if got, err := hashOf(filepath.Join(first, name)); err != nil || got != sum {
				t.Errorf("%s: its hash is %s, %v; %s says %s", name, got, err, checksums, sum)
			}
			listed[name] = true
		}
		for _, name := range names {
			if !listed[name] {
				t.Errorf("%s does not list %s", checksums, name)
			}
		}
	})
	archive := one(t, first, "*.tar.gz")
	unpacked := t.TempDir()
	run(t, "tar", "-xzf", archive, "-C", unpacked)
	commit := strings.TrimSpace(run(t, "git", "rev-parse", "HEAD"))
	t.Run("what the program says of itself", func(t *testing.T) {
		var said struct {
			Version, Revision, Go, Platform, Format, Codec string
			Dirty                                          bool
		}
		if err := json.Unmarshal([]byte(run(t, filepath.Join(unpacked, "mops"), "version", "--json")), &said); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(archive, "_"+strings.TrimPrefix(said.Version, "v")+"_") || said.Revision != commit || said.Dirty ||
			said.Go != runtime.Version() || said.Platform != platform || said.Format != "mops1" || said.Codec != "cbor1" {
			t.Errorf("it says %+v, in %s of commit %s", said, archive, commit)
		}
	})
	t.Run("for shells and man", func(t *testing.T) {
		for _, name := range []string{"completions/mops", "completions/_mops", "completions/mops.fish", "man1/mops.1", "man1/mops-k8s-jobs.1"} {
			if text := string(read(t, filepath.Join(unpacked, name))); !strings.Contains(text, "mops") {
				t.Errorf("%s says %q", name, text)
			}
		}
		if man, err := exec.LookPath("man"); err == nil {
			if text := run(t, man, "--warnings", "--local-file", filepath.Join(unpacked, "man1/mops-ls.1")); !strings.Contains(text, "SYNOPSIS") {
				t.Errorf("the page says %q", text)
			}
		} else {
			t.Log("no page is read: there is no man")
		}
	})
	t.Run("components", func(t *testing.T) {
		var bill cyclonedx.BOM
		if err := cyclonedx.NewBOMDecoder(bytes.NewReader(read(t, one(t, first, "*.cdx.json"))), cyclonedx.BOMFileFormatJSON).Decode(&bill); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range *bill.Components {
			got = append(got, c.Name+" "+c.Version)
		}
		want := []string{"std " + strings.TrimPrefix(runtime.Version(), "go")}
		for line := range strings.Lines(run(t, "go", "version", "-m", filepath.Join(unpacked, "mops"))) {
			if f := strings.Fields(line); len(f) > 2 && f[0] == "dep" {
				want = append(want, f[1]+" "+f[2])
			}
		}
		if !slices.Equal(got, want) || len(want) < 10 {
			t.Errorf("the bill has %q; the go command says %q", got, want)
		}
	})
	t.Run("formula", func(t *testing.T) {
		sum, err := hashOf(archive)
		if err != nil {
			t.Fatal(err)
		}
		ruby, err := exec.LookPath("ruby")
		if err != nil {
			t.Skipf("left out: %v", err)
		}
		system, processor := brewSystems[runtime.GOOS], brewProcessors[runtime.GOARCH]
		got := run(t, ruby, "-e", homebrew, filepath.Join(first, "mops.rb"), system, processor)
		want := fmt.Sprintf("%s/releases/download/v%s/%s %s\n", home, strings.Split(filepath.Base(archive), "_")[1], filepath.Base(archive), sum)
		if got != want {
			t.Errorf("Homebrew would fetch %q, want %q", got, want)
		}
		if got := run(t, ruby, "-e", homebrew, filepath.Join(first, "mops.rb"), system, "mips"); got != " \n" {
			t.Errorf("for a processor without an archive it would fetch %q", got)
		}
	})
	t.Run("package", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("left out: packages for Debian have programs for Linux")
		}
		if _, err := exec.LookPath("dpkg"); err != nil {
			t.Skipf("left out: %v", err)
		}
		deb := one(t, first, "*.deb")
		if got := strings.TrimSpace(run(t, "dpkg-deb", "--field", deb, "Package")); got != "mops" {
			t.Errorf("it is called %q", got)
		}
		version := strings.TrimSpace(run(t, "dpkg-deb", "--field", deb, "Version"))
		run(t, "dpkg", "--validate-version", version)
		if got := run(t, "dpkg-deb", "--contents", deb); strings.Count(got, "root/root") != strings.Count(got, "\n") {
			t.Errorf("not all is root's:\n%s", got)
		}
		root := t.TempDir()
		for _, folder := range []string{"info", "updates"} {
			if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", folder), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		run(t, "dpkg", "--root="+root, "--force-not-root", "--force-script-chrootless", "--log="+filepath.Join(root, "log"), "--install", deb)
		if got, want := read(t, filepath.Join(root, "usr/bin/mops")), read(t, filepath.Join(unpacked, "mops")); !bytes.Equal(got, want) {
			t.Error("the installed program is not that of the archive")
		}
		for _, name := range []string{"bash-completion/completions/mops", "zsh/vendor-completions/_mops", "fish/vendor_completions.d/mops.fish", "man/man1/mops-ls.1"} {
			read(t, filepath.Join(root, "usr/share", name))
		}
		if !strings.HasPrefix(run(t, filepath.Join(root, "usr/bin/mops"), "version"), "mops v") {
			t.Error("the installed program does not say its version")
		}
	})
}

// homebrew says what a formula has Homebrew fetch on such a machine.
const homebrew = `
class Formula
  %w[desc homepage version license].each { |name| define_singleton_method(name) { |_| } }
  def self.test; end
  %w[macos linux].each { |name| define_singleton_method("on_#{name}") { |&block| block.call if ARGV[1] == name } }
  %w[intel arm].each { |name| define_singleton_method("on_#{name}") { |&block| block.call if ARGV[2] == name } }
  def self.url(text); @url = text; end
  def self.sha256(text); @sha256 = text; end
  def self.say; puts "#{@url} #{@sha256}"; end
end
load ARGV[0]
Mops.say
`

func TestReleaseTouchesNoOtherFiles(t *testing.T) {
	out := t.TempDir()
	kept := filepath.Join(out, "thesis.txt")
	if err := os.WriteFile(kept, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := reproducible.release(t.Context(), "..", out, nil); err == nil || !strings.Contains(err.Error(), "empty folder") {
		t.Errorf("got %v", err)
	}
	read(t, kept)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func one(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(folder, pattern))
	if len(found) != 1 {
		t.Fatalf("there are %q instead of one %s", found, pattern)
	}
	return found[0]
}

func run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	out, err := output(t.Context(), "", nil, name, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
