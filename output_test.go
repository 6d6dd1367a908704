package mops_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// logOf is what is kept of the runs of a function, of all its calls.
func logOf(t *testing.T, root, function string) (text string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(strings.TrimPrefix(root, "file://"), "mops1/default", function+"@0", "*/runs/*.log/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		chunk, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text += string(chunk)
	}
	return text
}

// What functions of this process log and print for people is kept with their runs, each
// with its own, however they end and whatever else runs.
func TestWhatARunSaysIsKept(t *testing.T) {
	var shown syncbuf.Buffer
	ctx, root := onDisk(t, mops.LogTo(slog.New(slog.NewTextHandler(&shown, nil))))
	registry := mops.In(mops.NewRegistry())
	inner := mops.Define("inner", func(ctx context.Context, n int) (int, error) {
		fmt.Fprintf(mops.Output(ctx), "inner prints %d\n", n)
		return n, nil
	}, registry)
	both := make(chan struct{})
	var arrive sync.WaitGroup
	arrive.Add(2)
	outer := mops.Define("outer", func(ctx context.Context, n int) (int, error) {
		arrive.Done()
		arrive.Wait() // they run side by side
		logger := mops.Logger(ctx).With("n", n)
		logger.Info("begins", "at", "once")
		logger.Debug("nobody wants this")
		io.WriteString(mops.Output(ctx), fmt.Sprint("part of ", n))
		if _, err := inner.Call(ctx, n); err != nil {
			return 0, err
		}
		fmt.Fprintln(mops.Output(ctx), " and the rest")
		defer func() { go func() { <-both; logger.Info("too late"); fmt.Fprintln(mops.Output(ctx), "too late") }() }()
		switch n {
		case 1:
			return 0, errors.New("not well")
		default:
			panic("even less")
		}
	}, mops.On(inproc.New(inproc.Limit(2))), registry)
	var calls sync.WaitGroup
	for n := range 2 {
		calls.Go(func() {
			if _, err := outer.Call(ctx, n); err == nil {
				t.Error("there is no error")
			}
		})
	}
	calls.Wait()
	close(both)

	text := logOf(t, root, "outer")
	for n := range 2 {
		want := fmt.Sprintf(" level=INFO msg=begins n=%d at=once\npart of %d and the rest\n", n, n)
		if !strings.Contains(text, want) {
			t.Errorf("there is\n%s\nwant\n%s", text, want)
		}
	}
	if strings.Contains(text, "inner") || strings.Contains(text, "nobody") || strings.Contains(text, "late") {
		t.Errorf("there is\n%s", text)
	}
	if text := logOf(t, root, "inner"); text != "inner prints 0\ninner prints 1\n" && text != "inner prints 1\ninner prints 0\n" {
		t.Errorf("the inner calls left %q", text)
	}
	if text := shown.String(); strings.Count(text, "msg=begins") != 2 || !strings.Contains(text, "function=outer@0 run=") {
		t.Errorf("the program's logger took\n%s", text)
	}
}

// Where nothing is kept, nothing is kept; outside of a run, output is standard error.
func TestOutputOfACallThatIsOff(t *testing.T) {
	ctx, root := onDisk(t)
	f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
		mops.Logger(ctx).Info("logged")
		fmt.Fprintln(mops.Output(ctx), "printed")
		return n, nil
	}, private())
	must(f.With(mops.Off()).Call(ctx, 1))
	if text := logOf(t, root, "f"); text != "" {
		t.Errorf("there is %q", text)
	}
	if mops.Output(ctx) != io.Writer(os.Stderr) {
		t.Error("outside of a run, output is not standard error")
	}
	must(f.Call(ctx, 1))
	if text := logOf(t, root, "f"); !strings.HasSuffix(text, " level=INFO msg=logged\nprinted\n") {
		t.Errorf("there is %q", text)
	}
}

// A logger whose handler panics ends no call, and costs the log nothing.
func TestTheLogOfARunWithAHandlerThatPanics(t *testing.T) {
	ctx, root := onDisk(t, mops.LogTo(slog.New(brokenHandler{slog.NewTextHandler(new(bytes.Buffer), nil)})))
	f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
		mops.Logger(ctx).Info("logged")
		return n, nil
	}, private())
	must(f.Call(ctx, 1))
	if text := logOf(t, root, "f"); !strings.Contains(text, "msg=logged") {
		t.Errorf("there is %q", text)
	}
}

type brokenHandler struct{ slog.Handler }

func (brokenHandler) Handle(context.Context, slog.Record) error { panic("wild") }
func (w brokenHandler) WithAttrs([]slog.Attr) slog.Handler      { return w }
