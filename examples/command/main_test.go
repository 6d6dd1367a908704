package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/command"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// The test binary is its own worker.
func TestMain(m *testing.M) {
	mops.Init()
	os.Exit(m.Run())
}

func TestPythonStepIsMemoized(t *testing.T) {
	ctx, fit := prepare(t, "x,y\n0,1\n1,3\n2,5\n")
	for _, want := range []mops.Outcome{mops.Computed, mops.Hit} {
		line, info, err := FitLine.Do(ctx, fit)
		if err != nil || line.Slope != 2 || line.Intercept != 1 || line.Points != 3 || info.Outcome != want {
			t.Fatalf("got %v, %s, %v; want it %s", line, info.Outcome, err, want)
		}
		file, err := line.Residuals.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		file.Close()
		if err != nil || string(text) != "0.0,0.0\n1.0,0.0\n2.0,0.0\n" {
			t.Errorf("the residuals are %q, %v", text, err)
		}
	}
	fit.X, fit.Y = "y", "x"
	if line, info, err := FitLine.Do(ctx, fit); err != nil || line.Slope != 0.5 || info.Outcome != mops.Computed {
		t.Errorf("got %v, %s, %v", line, info.Outcome, err)
	}
}

func TestChangedPythonIsRunAgain(t *testing.T) {
	ctx, fit := prepare(t, "x,y\n0,1\n1,3\n2,5\n")
	if _, err := FitLine.Call(ctx, fit); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("python/fit.py")
	if err != nil {
		t.Fatal(err)
	}
	edited := t.TempDir()
	text = []byte(strings.ReplaceAll(string(text), "intercept = mean_y - slope * mean_x", "intercept = 0"))
	if err := os.WriteFile(filepath.Join(edited, "fit.py"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	fit.Script.Files = mops.Dir(edited)
	if line, info, err := FitLine.Do(ctx, fit); err != nil || line.Intercept != 0 || info.Outcome != mops.Computed {
		t.Errorf("got %v, %s, %v", line, info.Outcome, err)
	}
}

func TestExitCodeIsFinal(t *testing.T) {
	ctx, fit := prepare(t, "x,y\n0,1\n", mops.Force(mops.On(subprocess.New())))
	_, err := FitLine.With(mops.Retries(5)).Call(ctx, fit)
	failed, exited := errors.AsType[*command.Error](err)
	if !exited || failed.Code != tooFewPoints || !errors.Is(err, mops.ErrFinal) || !strings.Contains(err.Error(), "a line takes two points at least") {
		t.Errorf("got %v", err)
	}
}

func TestPythonErrorsAreShown(t *testing.T) {
	ctx, fit := prepare(t, "x,y\n0,one\n")
	if _, err := FitLine.Call(ctx, fit); err == nil || !strings.Contains(err.Error(), "could not convert string to float: 'one'") {
		t.Errorf("got %v", err)
	}
}

func prepare(t *testing.T, table string, options ...mops.EnvOption) (context.Context, Fit) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skipf("left out: %v", err)
	}
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, []byte(table), 0o666); err != nil {
		t.Fatal(err)
	}
	script := command.Script{Interpreter: []string{"python3"}, Files: mops.Dir("python"), Name: "fit.py"}
	options = append(options, mops.Root("file://"+t.TempDir()))
	return mopstest.Context(t, options...), Fit{Script: script, Table: mops.File(path), X: "x", Y: "y"}
}
