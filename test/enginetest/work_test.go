//go:build linux || darwin

package enginetest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/testkit/groups"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Work is the input of the one function that all tests call: it does as it is told.
type Work struct {
	Name   string // tells calls apart
	Dir    string // of the tally and the gates
	Gate   bool   // wait until the file <Name>.gate is in Dir
	Deaf   bool   // do not heed the context
	Sleep  time.Duration
	Chance bool   // answer something else each time: two runs show
	Print  int    // bytes to print to standard error, in lines
	Write  int    // bytes of a file to return
	End    string // what becomes of it: "" returns; see end
	Calls  []Work // to make in turn before it ends
	On     string // the executor of Calls
	Read   mops.Source
}

// Answer is its output.
type Answer struct {
	Text string
	File mops.Source
}

var doWork = mops.Declare[Work, Answer]("enginetest/work")

func init() { doWork.Implement(work) }

// executors by the names that Work and Job have for them.
var executors = map[string]executor.Executor{
	"":      inproc.New(),
	"in1":   inproc.New(inproc.Limit(1)),
	"in8":   inproc.New(inproc.Limit(8)),
	"in2":   inproc.New(inproc.Limit(2)),
	"in20":  inproc.New(inproc.Limit(20)),
	"sub":   subprocess.New(subprocess.Limit(4)),
	"stay":  subprocess.New(subprocess.Limit(4), subprocess.Stay()),
	"sub1":  subprocess.New(subprocess.Limit(1)),
	"sub2":  subprocess.New(subprocess.Limit(2)),
	"sub20": subprocess.New(subprocess.Limit(20)),

	"patient": subprocess.New(subprocess.Limit(4), subprocess.Grace(time.Hour)), // with who is to stop

	"far":   remote.New(remote.Through("env")), // as if a shell of this machine were another's
	"far20": remote.New(remote.Through("env"), remote.Limit(20), remote.Grace(3*time.Second)),

	"pack":   packing(executor.Packing{Work: 2 * time.Second, Side: 2, Most: 4}),
	"pack20": packing(executor.Packing{Work: time.Minute, Side: 20}),
}

// packing puts calls into packs, whose workers are processes of this machine.
func packing(p executor.Packing) executor.Executor {
	dir := os.Getenv(enginetest.PlaceVariable)
	if dir == "" { // the test itself
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("enginetest-groups-%d", os.Getpid()))
	}
	return &groups.Executor{Dir: filepath.Join(dir, "groups"), Pack: p, Replace: 8, Window: 1000}
}

func (w Work) tally() enginetest.Tally { return enginetest.Tally{Dir: w.Dir} }

func work(ctx context.Context, w Work) (Answer, error) {
	w.tally().Note("start", w.Name)
	if w.Gate && !w.waitAtGate(ctx) {
		w.tally().Note("stopped", w.Name)
		return Answer{}, context.Cause(ctx)
	}
	if w.Sleep > 0 {
		select {
		case <-time.After(w.Sleep):
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		}
	}
	w.print()
	answer := Answer{Text: w.Name}
	if w.Chance {
		answer.Text += " " + rand.Text()
	}
	if !w.Read.IsZero() {
		body, err := w.Read.Open(ctx)
		if err != nil {
			return Answer{}, err
		}
		defer body.Close()
		data, err := io.ReadAll(body)
		if err != nil {
			return Answer{}, err
		}
		answer.Text += " read " + digest(data)
	}
	for _, call := range w.Calls {
		nested, err := doWork.With(mops.On(executors[w.On])).Call(ctx, call)
		if err != nil {
			return Answer{}, fmt.Errorf("%s: %w", w.Name, err)
		}
		text, err := nested.text(ctx)
		if err != nil {
			return Answer{}, err
		}
		answer.Text += " (" + text + ")"
	}
	if w.Write > 0 {
		dir, err := mops.OutDir(ctx)
		if err != nil {
			return Answer{}, err
		}
		path := filepath.Join(dir, "written")
		if err := os.WriteFile(path, w.written(), 0o644); err != nil {
			return Answer{}, err
		}
		answer.File = mops.File(path)
	}
	err := w.end()
	w.tally().Note("end", w.Name)
	return answer, err
}

func (w Work) waitAtGate(ctx context.Context) bool {
	for {
		if _, err := os.Stat(filepath.Join(w.Dir, w.Name+".gate")); err == nil {
			return true
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			if !w.Deaf {
				return false
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// openGate lets a work go on.
func (w Work) openGate() error {
	return os.WriteFile(filepath.Join(w.Dir, w.Name+".gate"), nil, 0o644)
}

func (w Work) print() {
	line := []byte(strings.Repeat(w.Name[:1], 99) + "\n")
	if w.Print > 1<<20 {
		line = bytes.Repeat(line, 10_000)
	}
	for left := w.Print; left > 0; left -= len(line) {
		os.Stderr.Write(line[max(0, len(line)-left):])
	}
}

func (w Work) end() error {
	switch w.End {
	case "fail":
		return errors.New(w.Name + " failed on purpose")
	case "panic":
		panic(w.Name + " panicked on purpose")
	case "panic elsewhere":
		go func() { panic(w.Name + " panicked on purpose") }()
		select {}
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "exit":
		os.Exit(0)
	case "goexit":
		runtime.Goexit()
	case "overflow":
		panic(overflow(0))
	}
	return nil
}

//lint:ignore SA5007 its stack is to overflow
func overflow(n int) int { return overflow(n+1) + 1 }

func (w Work) written() []byte {
	return bytes.Repeat([]byte(w.Name+"\n"), w.Write/len(w.Name)+1)[:w.Write]
}

// text is all of an answer, its file included.
func (a Answer) text(ctx context.Context) (string, error) {
	if a.File.IsZero() {
		return a.Text, nil
	}
	body, err := a.File.Open(ctx)
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return a.Text + " wrote " + digest(data), err
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:4])
}

// expected is the text that a work answers, or the kind of its failure.
func (w Work) expected(read string) (text, kind string) {
	switch w.End {
	case "fail":
		return "", "func"
	case "panic", "goexit":
		return "", "panic"
	}
	text = w.Name
	if read != "" {
		data, err := os.ReadFile(read)
		if err != nil {
			return "", err.Error()
		}
		text += " read " + digest(data)
	}
	for _, call := range w.Calls {
		nested, kind := call.expected("")
		if kind != "" {
			return "", "func"
		}
		text += " (" + nested + ")"
	}
	if w.Write > 0 {
		text += " wrote " + digest(w.written())
	}
	return text, ""
}

func stringReader(s string) io.Reader { return strings.NewReader(s) }
