package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"mops-lock": main}) }

// Scripts have a module around them, example.com/forecast, and in the folder mops
// what mops-lock knows of mops. The real one is that of $REPOSITORY.
func TestScripts(t *testing.T) {
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mops, err := os.ReadFile("testdata/mops.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	settings := goEnv(t, "GOCACHE", "GOMODCACHE", "GOROOT")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			for name, value := range settings {
				env.Setenv(name, value)
			}
			env.Setenv("REPOSITORY", repository)
			env.Setenv("BIN", filepath.SplitList(env.Getenv("PATH"))[0]) // where mops-lock is, and nothing else
			env.Setenv("GOPROXY", "off")
			env.Setenv("GOFLAGS", "-mod=mod")
			env.Setenv("GOENV", "off")
			env.Setenv("HOME", env.WorkDir+"/home")
			env.Setenv("MOPS_CACHE", env.WorkDir+"/cache")
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			for name, text := range map[string]string{
				"mops/go.mod":  "module github.com/TrilliantHealth/mops-go\n\ngo 1.26.0\n",
				"mops/mops.go": string(mops),
				"go.mod": "module example.com/forecast\n\ngo 1.26.0\n\nrequire github.com/TrilliantHealth/mops-go v0.0.0\n\n" +
					"replace github.com/TrilliantHealth/mops-go => ./mops\n",
			} {
				path := filepath.Join(env.WorkDir, filepath.FromSlash(name))
				if _, err := os.Stat(path); err == nil {
					continue // the script's own
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					return err
				}
				if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
					return err
				}
			}
			return age(env.WorkDir)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"edit":     edit,
			"exitcode": exitsWith,
		},
	})
}

// The developer's loop, with the real mops: in the script's go.mod stands what it
// requires of it.
func TestLoop(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs that use mops")
	}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	settings := goEnv(t, "GOCACHE", "GOMODCACHE", "GOROOT")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/loop",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for name, value := range settings {
				env.Setenv(name, value)
			}
			env.Setenv("BIN", filepath.SplitList(env.Getenv("PATH"))[0])
			env.Setenv("GOPROXY", "off")
			env.Setenv("GOFLAGS", "-mod=mod")
			env.Setenv("GOENV", "off")
			env.Setenv("HOME", env.WorkDir+"/home")
			env.Setenv("MOPS_ROOT", "file://"+env.WorkDir+"/root")
			env.Setenv("MOPS_CACHE", env.WorkDir+"/cache")
			env.Setenv("MOPS_STATE", env.WorkDir+"/state")
			env.Setenv("MOPS_PROGRESS", "off")
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			if err := os.WriteFile(filepath.Join(env.WorkDir, "go.sum"), sums, 0o666); err != nil {
				return err
			}
			module, err := os.OpenFile(filepath.Join(env.WorkDir, "go.mod"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer module.Close()
			if _, err := fmt.Fprintf(module, "\nreplace github.com/TrilliantHealth/mops-go => %s\n", repository); err != nil {
				return err
			}
			return age(env.WorkDir)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"edit": edit},
	})
}

// age makes all files a minute old, as if nobody had just written them.
func age(folder string) error {
	old := time.Now().Add(-time.Minute)
	return filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, old, old)
	})
}

func goEnv(t *testing.T, names ...string) map[string]string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		values[names[i]] = line
	}
	return values
}

// edit FILE OLD NEW: replaces what stands there once.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	text, err := os.ReadFile(path)
	ts.Check(err)
	old, now := strings.ReplaceAll(args[1], `\n`, "\n"), strings.ReplaceAll(args[2], `\n`, "\n")
	if n := strings.Count(string(text), old); n != 1 {
		ts.Fatalf("%s has %q %d times", args[0], old, n)
	}
	ts.Check(os.WriteFile(path, []byte(strings.Replace(string(text), old, now, 1)), 0o666))
}

// exitcode N COMMAND… runs a command that must exit with that code.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.String()[len("exit status "):]
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}
