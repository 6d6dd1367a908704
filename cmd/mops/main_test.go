package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
)

// The test binary is the tool, the program that scripts run, and its workers.
func TestMain(m *testing.M) {
	if os.Getenv(worker.Variable) != "" {
		prog()
		return
	}
	testscript.Main(m, map[string]func(){"mops": main, "prog": prog})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("MOPS_ROOT", "file://"+env.WorkDir+"/root")
			env.Setenv("MOPS_STATE", env.WorkDir+"/state")
			env.Setenv("MOPS_CACHE", env.WorkDir+"/cache")
			env.Setenv("HOME", env.WorkDir+"/home")
			env.Setenv("TZ", "UTC")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each of many processes sleeps for a second
			cache, err := os.UserCacheDir()
			if err != nil {
				return err
			}
			env.Setenv("GOCACHE", cmp.Or(os.Getenv("GOCACHE"), filepath.Join(cache, "go-build"))) // of this machine
			env.Setenv("GOFLAGS", "")
			frozen, err := filepath.Abs("../../internal/frozen/testdata/root")
			if err != nil {
				return err
			}
			env.Setenv("FROZEN", frozen) // a root of the first release
			// Whatever lies above is no module that these tests are in.
			if err := os.WriteFile(filepath.Join(env.WorkDir, "go.mod"), []byte("module example.com/none\n"), 0o644); err != nil {
				return err
			}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "race" {
				return raceEnabled, nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Cmds: scriptCommands,
	})
}
