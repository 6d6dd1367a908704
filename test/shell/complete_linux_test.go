package shell

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/test/debian"
)

// filled makes a root with so many calls of one function, and a run, and returns its
// URI and the words of its first call.
func filled(t *testing.T, calls int) (root, words string) {
	t.Helper()
	folder := t.TempDir()
	put := func(key string) {
		file := filepath.Join(folder, key)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{}"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for i := range calls {
		at := memokey.Path("default", "shop/trade", "1", memokey.Key(sha256.Sum256(fmt.Append(nil, i))))
		put(at + "/invocation")
		put(at + "/result")
		if i == 0 {
			words, _, _ = strings.Cut(path.Base(at), ".")
		}
	}
	put("mops1-runs/2611231412-SkirtBus/head.json")
	return "file://" + folder, words
}

// shells are how each is started, and what it reads first.
var shells = []struct {
	name, packages string
	arguments      []string
	setUp          string
}{
	{"bash", "bash-completion", []string{"--norc", "--noprofile", "-i"}, "source /usr/share/bash-completion/bash_completion; source <(mops completion bash)"},
	{"bash", "bash-completion", []string{"--norc", "--noprofile", "-i"}, "source /usr/share/bash-completion/bash_completion; source <(mops completion bash); shopt -s hostcomplete"}, // with @ as a break of words
	{"zsh", "zsh", []string{"-f", "-i"}, "autoload -Uz compinit; compinit -u -D; source <(mops completion zsh)"},
	{"fish", "fish", []string{"--no-config", "--interactive"}, "mops completion fish | source"},
}

// A real shell completes commands, flags, and what lies in the store.
func TestShellsComplete(t *testing.T) {
	root, words := filled(t, 1)
	bin := t.TempDir()
	// It says how it was called, rather than to do it.
	script := fmt.Sprintf("#!/bin/sh\ncase \"$1\" in __complete*|completion) exec %s \"$@\";; esac\necho \"GOT<$*>\"\n", tool)
	if err := os.WriteFile(filepath.Join(bin, "mops"), []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	call := "mops1/default/shop/trade@1/" + words
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			_, err := exec.LookPath(shell.name)
			if _, noCompletion := os.Stat("/usr/share/bash-completion/bash_completion"); err != nil || shell.name == "bash" && noCompletion != nil {
				if testing.Short() || !debian.Usable() {
					t.Skipf("left out: the package %s is not installed", shell.packages)
				}
				if err := debian.Get(t.Context(), "", "install", "--yes", "--no-install-recommends", shell.packages); err != nil {
					t.Fatal(err)
				}
			}
			command := exec.Command(shell.name, shell.arguments...)
			command.Dir = t.TempDir()
			command.Env = []string{"PATH=" + bin + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + t.TempDir(), "TERM=xterm", "MOPS_ROOT=" + root, "LC_ALL=C.UTF-8"}
			term := onTerminal(t, command)
			term.write(shell.setUp + "\nmops ready\n")
			term.await("the shell", answer.MatchString)
			for keys, want := range map[string]string{
				"insp\tx":                      "inspect x",
				"ls --fai\tx":                  "ls --failed x",
				"k8s jo\t--stat\tfail\tx":      "k8s jobs --state failed x",
				"inspect mops1/de\tsh\ttr\t\t": "inspect " + call,
				"inspect " + words[:4] + "\tx": "inspect " + words + " x",
				"ls " + root + "/mo\tde\tx":    "ls " + root + "/mops1/default/x",
				"ls " + root + "/mops1/default/shop/trade@1/" + words[:2] + "\t": "ls " + root + "/" + call,
				"gc --pipeline de\tx":               "gc --pipeline default x",
				"gc --function=sh\tx":               "gc --function=shop/trade x",
				"why " + words[:4] + "\tmops1/d\tx": "why " + words + " mops1/default/x",
				"summary 26\tx":                     "summary 2611231412-SkirtBus x",
				"summary --root file\tx":            "summary --root " + root + " x",
				"help k8s lau\tx":                   "help k8s launch x",
			} {
				term.completes("mops "+keys+"\n", "GOT<"+strings.TrimRight(want, " "))
			}
		})
	}
}

var answer = regexp.MustCompile(`GOT<.*>\r*\n`)

// completes presses keys until the shell calls the tool as it should: on a busy machine
// the tool may take longer than a shell waits for a store.
func (term *terminal) completes(keys, want string) {
	term.t.Helper()
	answers := func(shown string) []string { return answer.FindAllString(shown, -1) }
	for until := time.Now().Add(2 * time.Minute); ; {
		before := len(answers(term.text()))
		term.write(keys)
		term.await(fmt.Sprintf("an answer to %q", keys), func(shown string) bool { return len(answers(shown)) > before })
		switch got := answers(term.text())[before]; {
		case strings.HasPrefix(got, want):
			return
		case time.Now().After(until):
			term.t.Fatalf("%q: got %q, want %q", keys, got, want)
		}
	}
}

// complete is how long the tool takes to answer a shell, and what it says.
func complete(t *testing.T, root string, arguments ...string) (said string, took time.Duration) {
	t.Helper()
	command := exec.Command(tool, append([]string{"__complete"}, arguments...)...)
	command.Env = append(os.Environ(), "MOPS_ROOT="+root, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x")
	begin := time.Now()
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out), time.Since(begin)
}

// Nobody notices how many calls there are. On a busy machine, what takes as long as to
// start a few times is quick.
func TestCompletionIsQuick(t *testing.T) {
	root, words := filled(t, 10_000)
	start := time.Hour
	for range 5 {
		_, took := complete(t, root, "version", "")
		start = min(start, took)
	}
	// Where the store took longer than a shell waits, little is offered or nothing.
	for _, arguments := range [][]string{
		{"ls", "mops1/"}, {"inspect", words[:2]}, {"inspect", "mops1/default/shop/trade@1/"}, {"inspect", "mops1/default/shop/trade@1/" + words[:4]}, {"config", "sh"}, {"summary", "2"},
	} {
		best, said := time.Hour, ""
		for most, tries := max(100*time.Millisecond, 8*start), 0; best > most && tries < 30; tries++ {
			var took time.Duration
			if said, took = complete(t, root, arguments...); !strings.HasPrefix(said, ":") {
				best = min(best, took)
			}
		}
		if best == time.Hour {
			t.Fatalf("%q: nothing is offered: %s", arguments, said)
		}
		t.Logf("%q: %v, of which %v to start", arguments, best.Round(time.Millisecond), start.Round(time.Millisecond))
		if best > max(100*time.Millisecond, 8*start) {
			t.Errorf("%q takes %v, and to start %v", arguments, best, start)
		}
	}
}

// A store that does not answer does not keep the shell.
func TestSilentStoreIsNotWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	best := time.Hour // of some: others may be at work on this machine
	for tries := 0; tries < 10 && best > 5*time.Second; tries++ {
		said, took := complete(t, "s3://box/mops?region=eu-1&endpoint=http://"+listener.Addr().String(), "ls", "mops1/")
		if !strings.HasPrefix(said, ":") {
			t.Errorf("after %v: %s", took, said)
		}
		best = min(best, took)
	}
	if best > 5*time.Second {
		t.Errorf("the shell waits for %v", best)
	}
	said := ""
	for tries := 0; tries < 50 && !strings.Contains(said, "mops1/\n"); tries++ {
		said, _ = complete(t, "nothing://x", "ls", "")
	}
	if !strings.Contains(said, "mops1/\n") {
		t.Errorf("a root that makes no sense: %s", said)
	}
}
