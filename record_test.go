package mops_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// header reads the header of a record on disk, as anybody could.
func header[T any](t *testing.T, uri, name string) (h T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(strings.TrimPrefix(uri, "file://"), name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".json") {
		_, rest, _ := strings.Cut(string(data), "\n")
		line, _, _ := strings.Cut(rest, "\n")
		data = []byte(line)
	}
	if err := json.Unmarshal(data, &h); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return h
}

// remarks records fields of every kind.
var remarks = mops.Define("test/remarks", func(ctx context.Context, fail bool) (int, error) {
	fields := map[string]int{"a": 1}
	mops.Record(ctx, "rows", 1)
	mops.Record(ctx, "rows", 2)
	mops.Record(ctx, "map", fields)
	fields["a"] = 99
	mops.Record(ctx, "html", "a<b>&c")
	mops.Record(ctx, "when", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	mops.Record(ctx, "nan", math.NaN())
	mops.Record(ctx, "channel", make(chan int))
	if fail {
		return 0, errors.New("after all")
	}
	return 42, nil
})

func checkRun(t *testing.T, run record.Run, executor string) {
	t.Helper()
	host, _ := os.Hostname()
	if run.Host != host || run.User == "" || run.PID == 0 || run.Executor != executor || run.OS == "" || run.Arch == "" || run.Attempt != 1 ||
		run.LeaseID == "" || run.PeakMemory < 1<<20 || run.WallSeconds < 0 || run.WallSeconds > 3600 ||
		time.Since(run.Started) > time.Hour || run.Ended.Before(run.Started) || run.Program.Go == "" {
		t.Errorf("%+v", run)
	}
	if (run.PID == os.Getpid()) != (executor == "inproc") {
		t.Errorf("process %d on %s", run.PID, executor)
	}
	for key, want := range map[string]any{"rows": 2.0, "html": "a<b>&c", "when": "2026-01-02T03:04:05Z"} {
		if run.Fields[key] != want {
			t.Errorf("field %s is %v, want %v", key, run.Fields[key], want)
		}
	}
	if m, ok := run.Fields["map"].(map[string]any); !ok || m["a"] != 1.0 {
		t.Errorf("map was recorded as %v", run.Fields["map"])
	}
	// A value that JSON does not have is no reason to lose a result.
	for key, says := range map[string]string{"nan": "NaN", "channel": "chan int"} {
		if text, ok := run.Fields[key].(string); !ok || !strings.Contains(text, "not recorded") || !strings.Contains(text, says) {
			t.Errorf("%s was recorded as %v", key, run.Fields[key])
		}
	}
}

func TestARunLeavesARecord(t *testing.T) {
	for executor, start := range map[string]func(testing.TB, ...mops.EnvOption) (context.Context, string){"inproc": onDisk, "subprocess": inSubprocesses} {
		ctx, _ := start(t)
		out, info, err := remarks.Do(ctx, false)
		if err != nil || out != 42 {
			t.Fatal(out, err)
		}
		result := header[record.ResultHeader](t, info.URI, "result")
		checkRun(t, result.Run, executor)
		if result.RunID != info.Run || result.Function != "test/remarks" || result.Version != "0" || result.Pipeline != "default" ||
			result.Run.Outcome != "ok" || !strings.HasSuffix(info.URI, result.MemoKey) {
			t.Errorf("%+v", result)
		}
		invocation := header[record.InvocationHeader](t, info.URI, "invocation")
		if invocation.MemoKey != result.MemoKey || invocation.Function != "test/remarks" || invocation.Program.Go == "" {
			t.Errorf("%+v", invocation)
		}

		_, info, err = remarks.Do(ctx, true)
		e, ok := errors.AsType[*mops.FuncError](err)
		if !ok {
			t.Fatal(err)
		}
		failed := header[record.ErrorHeader](t, info.URI, "error")
		checkRun(t, failed.Run, executor)
		if failed.RunID != e.Run || failed.Run.Outcome != "func_error" || failed.Message != "after all" {
			t.Errorf("%+v", failed)
		}
		left := header[record.RunHeader](t, info.URI, "runs/"+e.Run+".json")
		checkRun(t, left.Run, executor)
	}
}

// A worker's record has its own memory, and not that of the program that started it.
func TestARecordHasTheMemoryOfItsWorker(t *testing.T) {
	const large = 300 << 20
	memory := make([]byte, large)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	for executor, start := range map[string]func(testing.TB, ...mops.EnvOption) (context.Context, string){"inproc": onDisk, "subprocess": inSubprocesses} {
		ctx, _ := start(t)
		_, info, err := remarks.Do(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		peak := header[record.ResultHeader](t, info.URI, "result").Run.PeakMemory
		if runtime.GOOS != "linux" {
			continue // other systems have other rules of what a process inherits
		}
		if own := executor == "inproc"; peak < 1<<20 || own != (peak >= large) {
			t.Errorf("%s: %d bytes, and this program has more than %d", executor, peak, large)
		}
	}
	if memory[4096] != 1 {
		t.Error("it was not used")
	}
}

func TestAFunctionKnowsItsRun(t *testing.T) {
	var logged syncbuf.Buffer
	ctx, _ := onDisk(t, mops.LogTo(textLogger(&logged)))
	var seen mops.Run
	f := mops.Define("f", func(ctx context.Context, _ int) (int, error) {
		seen = mops.RunInfo(ctx)
		mops.Logger(ctx).Warn("look", "rows", 3)
		return 0, nil
	}, private(), mops.Version("7"))
	_, info, err := f.Do(ctx, 1)
	if err != nil || seen != (mops.Run{Function: "f@7", URI: info.URI, ID: info.Run, Attempt: 1}) {
		t.Errorf("%+v, %+v, %v", seen, info, err)
	}
	for _, text := range []string{"look", "rows=3", "function=f", "run=" + info.Run} {
		if !strings.Contains(logged.String(), text) {
			t.Errorf("logged %s", logged.String())
		}
	}
}

func TestOutsideOfARunThereIsNothingToKnow(t *testing.T) {
	ctx := t.Context()
	if run := mops.RunInfo(ctx); run != (mops.Run{}) {
		t.Errorf("%+v", run)
	}
	mops.Record(ctx, "rows", 1)
	if mops.Logger(ctx) == nil {
		t.Error("there is no logger")
	}
	dir, err := mops.OutDir(ctx) // so that a function is testable without mops
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Error(err)
	}
}

func TestOutDirIsEmptyAndGoneAfterTheRun(t *testing.T) {
	ctx, _ := onDisk(t)
	var dirs []string
	f := mops.Define("f", func(ctx context.Context, fail bool) (int, error) {
		for range 2 {
			dir, err := mops.OutDir(ctx)
			if err != nil {
				return 0, err
			}
			dirs = append(dirs, dir)
		}
		if len(must(os.ReadDir(dirs[0]))) != 0 {
			return 0, errors.New("it is not empty")
		}
		os.WriteFile(filepath.Join(dirs[0], "x"), nil, 0o600)
		if fail {
			return 0, errors.New("on request")
		}
		return 0, nil
	}, private())
	for _, fail := range []bool{false, true} {
		dirs = nil
		if _, err := f.Call(ctx, fail); (err != nil) != fail {
			t.Error(err)
		}
		if dirs[0] != dirs[1] {
			t.Errorf("one run has two folders: %q", dirs)
		}
		if _, err := os.Stat(dirs[0]); err == nil {
			t.Errorf("%s is still there", dirs[0])
		}
	}
}
