package k8stest_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/image"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"

	_ "github.com/TrilliantHealth/mops-go/blob/azureblob"
	_ "github.com/TrilliantHealth/mops-go/blob/gcsblob"
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
)

// soak says that there is time for the large sizes.
var soak = os.Getenv("MOPS_SOAK") == "1"

func TestMain(m *testing.M) {
	if name := os.Getenv(enginetest.ProgramVariable); name != "" {
		mops.Main(programs[name], mops.LogTo(slog.New(slog.NewTextHandler(os.Stderr, nil))), mops.Progress(cmp.Or(os.Getenv("MOPS_PROGRESS"), "off")))
	}
	mops.Init() // in a pod, this binary is the worker
	enginetest.SideBySide("4")
	code := cluster.Run(m)
	enginetest.RemoveBuilt()
	os.Exit(code)
}

// longest is for what takes seconds, on a machine that has much else to do.
const longest = 6 * time.Minute

// programs are the programs under test, by name.
var programs = map[string]func(context.Context) error{"calls": runCalls, "visit": runVisit, "many": runMany, "packed": runPacked, "sidecar": runSidecar, "nested": runNested}

// version is that of doWork; see TestVersionSkew.
var version = "0"

// there is where pods find the place of a test.
const there = "/mnt/place"

// Work is what a call does.
type Work struct {
	Name    string
	Gate    bool // it waits until the place has a file "open"
	Seconds float64
	MiB     int     // of memory that it needs
	Uses    float64 // for so many seconds
	End     string  // "": well
}

// Answer is what it returns.
type Answer struct{ Name, Pod string }

var doWork = mops.Define("k8stest/work", func(ctx context.Context, w Work) (Answer, error) {
	tally := enginetest.Tally{Dir: there}
	tally.Note("begin", w.Name)
	fmt.Println(w.Name, "begins")
	defer fmt.Println(w.Name, "ends")
	timer := time.NewTimer(time.Duration(w.Seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	for w.Gate {
		if _, err := os.Stat(filepath.Join(there, "open")); err == nil {
			break
		}
		select { // nothing tells a pod that a file appears on its node
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
	memory, began := make([]byte, w.MiB<<20), time.Now()
	for first := true; first || time.Since(began).Seconds() < w.Uses && ctx.Err() == nil; first = false {
		for i := 0; i < len(memory); i += 4096 {
			memory[i]++
		}
	}
	switch w.End {
	case "kill once":
		if _, err := os.Stat(filepath.Join(there, w.Name)); err != nil {
			os.WriteFile(filepath.Join(there, w.Name), nil, 0o666)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	case "exit":
		os.Exit(9)
	case "crash": // on a goroutine of its own, which nobody can recover
		go func() { panic(fmt.Sprintf("%s crashes at %v, %p", w.Name, time.Now(), &w)) }()
		<-ctx.Done()
	case "error":
		return Answer{}, fmt.Errorf("%s fails", w.Name)
	case "panic":
		panic(w.Name + " panics")
	}
	return Answer{w.Name, os.Getenv("MOPS_K8S_POD")}, nil
}, mops.Version(version))

// Calls is what a program is to do.
type Calls struct {
	Namespace, Image, Place string
	Secret                  string // whose entries workers find in their environment
	Brief                   bool   // Jobs are removed a second after they have ended
	SilenceGrace            time.Duration
	Retries                 int // of a Job; 0 is one
	Pack                    time.Duration
	Side, Limit             int
	Configured              bool // the config file says where, and the program nothing
	Works                   []Work
	Nested                  Nested
	Queue                   Queue
}

// executor runs the work where the calls say.
func (calls Calls) executor() *k8s.Executor {
	if calls.Configured {
		return k8s.New()
	}
	at := k8s.New(
		k8s.Namespace(calls.Namespace), k8s.Image(calls.Image), k8s.CPU("10m"), k8s.Memory("64Mi"),
		k8s.HostPath(there, calls.Place), k8s.Root("file://"+calls.Place, "file://"+there),
		k8s.RunAs(0, 0), // whose files the place has
		k8s.Retries(1),
	)
	if calls.Secret != "" {
		at = at.With(k8s.EnvFromSecret(calls.Secret))
	}
	if calls.Brief {
		at = at.With(k8s.TTL(time.Second))
	}
	if calls.Retries > 0 {
		at = at.With(k8s.Retries(calls.Retries))
	}
	if calls.Pack > 0 {
		at = at.With(k8s.Pack(calls.Pack), k8s.SideBySide(calls.Side), k8s.Limit(calls.Limit), k8s.Memory("128Mi"))
	}
	if calls.SilenceGrace > 0 {
		at = at.With(k8s.SilenceGrace(calls.SilenceGrace))
	}
	return at.With(calls.Queue.options()...)
}

// Report is what the program says of one call, as a line of JSON.
type Report struct {
	Answer  Answer
	Outcome mops.Outcome
	Work    string
	URI     string
	Error   string `json:",omitempty"`
	Reason  string `json:",omitempty"` // of an ExecError; "func" of a FuncError
}

// runCalls is the program under test: it makes all calls at once.
func runCalls(ctx context.Context) error {
	var calls Calls
	if err := enginetest.Arguments(&calls); err != nil {
		return err
	}
	at := calls.executor()
	out := json.NewEncoder(os.Stdout)
	var failed error
	for r := range doWork.With(mops.On(at), mops.Timeout(calls.Queue.Timeout)).Each(ctx, func(yield func(Work) bool) {
		for _, w := range calls.Works {
			if !yield(w) {
				return
			}
		}
	}, mops.Concurrency(len(calls.Works))) {
		report := Report{Answer: r.Out, Outcome: r.Info.Outcome, Work: r.In.Name, URI: r.Info.URI}
		if r.Err != nil {
			report.Error, failed = r.Err.Error(), r.Err
			if e, ok := errors.AsType[*mops.ExecError](r.Err); ok {
				report.Reason = string(e.Reason)
			} else if _, ok := errors.AsType[*mops.FuncError](r.Err); ok {
				report.Reason = "func"
			}
		}
		out.Encode(report)
	}
	return failed
}

// pushed is the image of this test binary in the registry of the cluster, of which there
// is one: it is made once, which takes a while with the race detector.
func pushed(t testing.TB, c *cluster.Cluster) string {
	t.Helper()
	path, err := enginetest.Plain()
	if err != nil {
		t.Fatal(err)
	}
	programImages.Lock()
	defer programImages.Unlock()
	reference, ok := programImages.in[c.Registry]
	if !ok {
		reference = push(t, c, path)
		programImages.in[c.Registry] = reference
	}
	return reference
}

// programImages are the references of the program's image, by registry: each cluster
// has its own.
var programImages = struct {
	sync.Mutex
	in map[string]string
}{in: map[string]string{}}

func push(t testing.TB, c *cluster.Cluster, path string) string {
	t.Helper()
	reference, _, err := image.FromSelf(c.Registry+"/k8stest", image.Binary(path), image.Insecure())(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return reference
}
