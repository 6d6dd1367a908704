package record

import (
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// sample is one record of each kind, the same in every run, and one of each
// that later releases write in another way.
type sample struct {
	file   string // in testdata
	kind   Kind
	header any
	body   []byte
}

const sampleKey = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func samples() []sample {
	head := Head{MemoKey: sampleKey, RunID: "2611231412-SkirtBus"}
	call := Call{
		Function: "forecast/train", Version: "2026-04-rate", Pipeline: "forecast", Codec: Codec,
		Calls: []string{"forecast/clean@0"}, In: "in-fingerprint", Out: "out-fingerprint",
	}
	program := Program{Path: "example.org/forecast", Version: "v1.2.3", Revision: "0123abcd", Dirty: true, Go: "go1.26.0"}
	run := Run{
		LeaseID: "lease-1", Attempt: 1, Outcome: "ok",
		Started: time.Date(2026, 11, 23, 14, 12, 0, 5e6, time.UTC), Ended: time.Date(2026, 11, 23, 14, 13, 0, 0, time.UTC),
		WallSeconds: 59.995, CPUSeconds: 12.5, PeakMemory: 1 << 30, Host: "node-7", User: "ada", PID: 4711,
		Executor: "k8s", OS: "linux", Arch: "amd64", Program: program,
		Fields: map[string]any{"loss": 0.25, "<note>": "a\nb"}, Modules: []string{"example.org/m@v1.0.0"},
	}
	sources := []SourceLocation{{Hash: "aa", Kind: "file", Size: 3, Location: "mops1-blobs/sha256/aa"}}
	failed := run
	failed.Outcome, failed.Error = "func_error", "no such city"
	body, err := FuncError{Message: "no such city", Types: []string{"*forecast.CityError"}, Stack: "goroutine 1\n",
		Registered: &RegisteredError{Name: "city", Data: []byte{0xa0}}}.Encode()
	if err != nil {
		panic(err)
	}
	later := head
	later.Origin = Origin{Code: "3cd71bc6f1e0a2b4", Callees: "forecast/clean@0=0a2b43cd71bc6f1e", Func: "example.org/forecast.(*Model[...]).Train"}
	related, came := failed, []SourceLocation{sources[0]}
	related.ProgramRun, came[0].From = "2611231410-ToastOwl", "mops1/forecast/forecast/clean@0/amber-kite-river."+sampleKey
	related.Caller, related.Made, related.MoreMade = "mops1/forecast/forecast/all@0/amber-kite-river."+sampleKey, []string{came[0].From, "s3://other/" + came[0].From}, 2
	placed := run.On(executor.Place{
		Spot: true, Requests: executor.Resources{CPU: 2.5, Memory: 3 << 30, GPU: 0.5}, Limits: executor.Resources{Memory: 4 << 30},
	})
	return []sample{
		{"result", KindResult, ResultHeader{RunHeader: RunHeader{head, call, run}, Sources: sources}, []byte("\xa1eRatio\xf9\x38\x00")},
		{"invocation", KindInvocation, InvocationHeader{Head: head, Call: call, LeaseID: "lease-1", Program: program, Sources: sources}, []byte("\xa1dCity\x62\x0a\x0a")},
		{"error", KindError, ErrorHeader{RunHeader: RunHeader{head, call, failed}, Message: "no such city"}, body},
		{"lease", KindLease, map[string]any{"lease_id": "lease-1", "status": "held"}, nil},
		{"session", KindSession, map[string]any{"session_id": "session-1", "state": "live"}, nil},

		{"invocation-0.2", KindInvocation, InvocationHeader{
			Head: later, Call: call, LeaseID: "lease-1", Caller: related.Caller, ProgramRun: related.ProgramRun, Program: program, Sources: came,
		}, []byte("\xa1dCity\x62\x0a\x0a")},
		{"error-0.2", KindError, ErrorHeader{RunHeader: RunHeader{later, call, related}, Message: "no such city"}, body},
		{"result-placed-0.2", KindResult, ResultHeader{RunHeader: RunHeader{later, call, placed}}, []byte("\xa1eRatio\xf9\x38\x00")},
		{"result-0.2", KindResult, ResultHeader{RunHeader: RunHeader{later, call, run}, Sources: sources}, []byte("\xa1eRatio\xf9\x38\x00")},
	}
}
