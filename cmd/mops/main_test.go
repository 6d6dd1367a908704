package main

import (
	"fmt"
	"os"
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
