package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// scriptCommands are what scripts can say beyond the usual.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"setenvfrom": setenvFrom,
	"damage":     damage,
	"waitfile":   waitFile,
	"json":       jsonHas,
	"noescapes":  noEscapes,
	"exitcode":   exitCode,
	"shape":      shapeOf,
	"lock":       lock,
	"onspot":     onSpot,
}

// setenvFrom VAR: the variable gets what was printed, without the end of line.
func setenvFrom(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// damage FILE truncate N | grow N | flip N | write TEXT | replace OLD NEW | remove: changes a stored blob. A file: URI will do.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(strings.TrimPrefix(args[0], "file://"))
	if _, err := os.Stat(path + "~"); err == nil {
		ts.Fatalf("%s was written over, so that what counts is another version of it", path)
	}
	info, err := os.Stat(path)
	ts.Check(err)
	if args[1] == "grow" { // by zeros that take no room
		n, err := strconv.ParseInt(args[2], 10, 64)
		ts.Check(err)
		ts.Check(os.Truncate(path, n))
		return
	}
	data, err := os.ReadFile(path)
	ts.Check(err)
	switch args[1] {
	case "truncate":
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		if n < 0 {
			n += len(data)
		}
		data = data[:n]
	case "flip":
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		if n < 0 {
			n += len(data)
		}
		data[n] ^= 1
	case "write":
		data = []byte(args[2])
	case "replace":
		if !strings.Contains(string(data), args[2]) {
			ts.Fatalf("%s does not contain %q", path, args[2])
		}
		data = []byte(strings.ReplaceAll(string(data), args[2], args[3]))
	default:
		ts.Fatalf("damage: unknown kind %q", args[1])
	}
	ts.Check(os.Remove(path))
	ts.Check(os.WriteFile(path, data, info.Mode()))
}

// onSpot FILE…: has results say that a pod on a spot node made them, in an hour, that
// asked for 2 CPUs, 4 GiB and a GPU.
func onSpot(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		path := ts.MkAbs(file)
		data, err := os.ReadFile(path)
		ts.Check(err)
		r, err := record.Open(record.KindResult, data)
		ts.Check(err)
		var header record.ResultHeader
		ts.Check(r.Into(&header))
		header.Run.Executor, header.Run.WallSeconds, header.Run.CPUSeconds = "k8s", 3600, 1800
		header.Run = header.Run.On(executor.Place{
			Spot: true, Requests: executor.Resources{CPU: 2, Memory: 4 << 30, GPU: 1}, Limits: executor.Resources{Memory: 4 << 30},
		})
		data, err = record.Seal(record.KindResult, header, r.Body)
		ts.Check(err)
		ts.Check(os.WriteFile(path, data, 0o644))
	}
}

// waitFile FILE waits until a file is there.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(filepath.Join(ts.Getenv("WORK"), args[0])); err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			ts.Fatalf("%s did not appear", args[0])
		}
	}
}

// exitCode N COMMAND… runs a command that must exit with that code.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// noEscapes: nothing that terminals act upon was printed.
func noEscapes(ts *testscript.TestScript, neg bool, args []string) {
	for _, stream := range []string{"stdout", "stderr"} {
		if strings.ContainsAny(ts.ReadFile(stream), "\x1b\x07\u009b") {
			ts.Fatalf("%s has control characters: %q", stream, ts.ReadFile(stream))
		}
	}
}

// lock FILE: writes the lock of the package in the current folder as mops-lock
// does, and its text into a file.
func lock(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	p, err := fingerprint.Load(ctx, fingerprint.Config{Dir: ts.MkAbs("."), Env: append(os.Environ(), "GOFLAGS=", "GOWORK=off")}, ".")
	ts.Check(err)
	defined, err := p.Definitions(ctx)
	ts.Check(err)
	var l code.Lock
	for _, d := range defined {
		f, err := p.Fingerprint(ctx, d)
		ts.Check(err)
		l.Functions = append(l.Functions, code.Locked{Name: d.Name, Version: d.Version, Platform: fingerprint.DefaultPlatform, Fingerprint: *f})
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(l.String()), 0o644))
	const file = "package shop\n\nimport mops \"github.com/TrilliantHealth/mops-go\"\n\nfunc init() { mops.Locked(`%s`) }\n"
	ts.Check(os.WriteFile(ts.MkAbs("mops_lock.go"), fmt.Appendf(nil, file, l), 0o644))
}
