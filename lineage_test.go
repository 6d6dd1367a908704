//go:build unix

package mops_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/testkit/groups"
)

// A small family of functions: grow calls sow twice, reap with what sow returned, lose
// and, without a store, shell.

var sow = mops.Define("test/sow", func(ctx context.Context, text string) (mops.Source, error) {
	dir, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	path := filepath.Join(dir, "seed.txt")
	return mops.File(path), os.WriteFile(path, []byte(text), 0o600)
})

var reap = mops.Define("test/reap", func(ctx context.Context, in mops.Source) (mops.Source, error) { return in, nil })

var lose = mops.Define("test/lose", func(context.Context, string) (int, error) { return 0, errors.New("lost") })

var husk = mops.Define("test/husk", func(_ context.Context, in mops.Source) (int64, error) { return in.Size(), nil })

var shell = mops.Define("test/shell", func(ctx context.Context, in mops.Source) (int64, error) { return husk.Call(ctx, in) },
	mops.Calls(husk))

type grown struct{ Sown, Reaped, Lost, Husk string }

var grow = mops.Define("test/grow", func(ctx context.Context, text string) (grown, error) {
	seed, sown, err := sow.Do(ctx, text)
	if err != nil {
		return grown{}, err
	}
	if _, err = sow.Call(ctx, text); err != nil {
		return grown{}, err
	}
	_, lost, _ := lose.Do(ctx, text)
	by := reap
	if text == "nested subprocess" {
		by = reap.With(mops.On(subprocess.New()))
	}
	crop, reaped, err := by.Do(ctx, seed)
	if err != nil {
		return grown{}, err
	}
	if _, err = shell.With(mops.Off()).Call(ctx, crop); err != nil {
		return grown{}, err
	}
	_, peeled, err := husk.Do(ctx, crop)
	return grown{sown.URI, reaped.URI, lost.URI, peeled.URI}, err
}, mops.Calls(sow, reap, lose, husk, shell))

func TestRecordsSayWhoMadeACallAndFromWhat(t *testing.T) {
	for name, options := range map[string][]mops.EnvOption{
		"in process":               nil,
		"subprocess":               {mops.On(subprocess.New())},
		"nested subprocess":        {mops.On(subprocess.New())},
		"a subprocess that stays":  {mops.On(subprocess.New(subprocess.Stay()))},
		"another root for callers": {mops.On(subprocess.New())},
	} {
		t.Run(name, func(t *testing.T) {
			silence(t)
			ctx, root := onDisk(t, options...)
			path := func(uri string) string { return strings.TrimPrefix(uri, root+"/") }
			f := grow
			if strings.HasPrefix(name, "another root") {
				f = f.With(mops.Root("file://" + t.TempDir()))
			}
			g, info, err := f.Do(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			caller := path(info.URI) // the URI itself, where the root is another
			top := header[record.ResultHeader](t, info.URI, "result")
			run := top.Run.ProgramRun
			if run == "" || top.Run.Caller != "" {
				t.Errorf("the outermost call: run %q, caller %q", run, top.Run.Caller)
			}
			made := []string{g.Sown, g.Lost, g.Reaped, g.Husk}
			if caller != info.URI {
				for i := range made {
					made[i] = path(made[i])
				}
			}
			if !slices.Equal(top.Run.Made, made) || top.Run.MoreMade != 0 {
				t.Errorf("it made %q and %d more, want %q", top.Run.Made, top.Run.MoreMade, made)
			}
			for kind, uri := range map[string]string{"result": g.Sown, "error": g.Lost} {
				if of := header[record.RunHeader](t, uri, kind).Run; of.Caller != caller || of.ProgramRun != run {
					t.Errorf("%s: run %q, caller %q", uri, of.ProgramRun, of.Caller)
				}
				if of := header[record.InvocationHeader](t, uri, "invocation"); of.Caller != caller || of.ProgramRun != run {
					t.Errorf("%s, invocation: run %q, caller %q", uri, of.ProgramRun, of.Caller)
				}
			}
			for uri, from := range map[string]string{g.Reaped: g.Sown, g.Husk: g.Reaped} {
				in := header[record.InvocationHeader](t, uri, "invocation")
				if len(in.Sources) != 1 || in.Sources[0].From != path(from) || in.Caller != caller {
					t.Errorf("%s, by %q: %+v", uri, in.Caller, in.Sources)
				}
			}
			if out := header[record.ResultHeader](t, g.Reaped, "result"); out.Sources[0].From != path(g.Sown) {
				t.Errorf("what a function returns as it came: %+v", out.Sources)
			}
		})
	}
}

// Workers that share a list of calls, as pods do, get it with each call.
func TestCallsInPacksSayWhoMadeThem(t *testing.T) {
	ctx, root := inSubprocesses(t, mops.On(&groups.Executor{Dir: t.TempDir(), Pack: executor.Packing{Work: time.Minute, Side: 2}}))
	var uris [4]string
	var calls sync.WaitGroup
	for i := range uris {
		calls.Go(func() {
			_, info, err := grow.Do(ctx, fmt.Sprint("pack ", i))
			if err != nil {
				t.Error(err)
			}
			uris[i] = info.URI
		})
	}
	calls.Wait()
	programs := map[string]bool{}
	for _, uri := range uris {
		of := header[record.ResultHeader](t, uri, "result").Run
		programs[of.ProgramRun] = true
		if of.Executor != "groups" || len(of.Made) != 4 {
			t.Errorf("by %s: it made %q", of.Executor, of.Made)
		}
		for _, made := range of.Made {
			if in := header[record.InvocationHeader](t, root+"/"+made, "invocation"); root+"/"+in.Caller != uri || in.ProgramRun != of.ProgramRun {
				t.Errorf("%s: by %q in run %q", made, in.Caller, in.ProgramRun)
			}
		}
	}
	if len(programs) != 1 || programs[""] {
		t.Errorf("one run of a program has the ids %v", programs)
	}
}

func TestSourcesOfTheProgramNameTheirResults(t *testing.T) {
	ctx, root := onDisk(t)
	seed, sown, err := sow.Do(ctx, "for the program")
	if err != nil {
		t.Fatal(err)
	}
	for i, source := range []mops.Source{seed, mops.File("main_test.go")} {
		_, info, err := husk.Do(ctx, source)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{strings.TrimPrefix(sown.URI, root+"/"), ""}[i]
		if in := header[record.InvocationHeader](t, info.URI, "invocation"); in.Sources[0].From != want || in.Caller != "" {
			t.Errorf("%+v", in)
		}
	}
}

var many = mops.Define("test/many", func(ctx context.Context, n int) (int, error) {
	for i := range n {
		if _, err := echoed.Call(ctx, i); err != nil {
			return 0, err
		}
		if _, err := echoed.Call(ctx, 0); err != nil {
			return 0, err
		}
	}
	return n, nil
})

var echoed = mops.Define("test/echoed", func(_ context.Context, n int) (int, error) { return n, nil })

// A record lists so many calls that a hit on it costs no more for it.
func TestARecordListsNotAllCalls(t *testing.T) {
	ctx, _ := onDisk(t)
	_, info, err := many.Do(ctx, record.MostMade+20)
	if err != nil {
		t.Fatal(err)
	}
	if of := header[record.ResultHeader](t, info.URI, "result").Run; len(of.Made) != record.MostMade || of.MoreMade != 20 {
		t.Errorf("it lists %d calls and counts %d more", len(of.Made), of.MoreMade)
	}
}

// With Start, too, and whatever became of the call.
var starter = mops.Define("test/starts", func(ctx context.Context, text string) (string, error) {
	call, err := lose.Start(ctx, text)
	if err != nil {
		return "", err
	}
	if _, err = call.Wait(context.Background()); err == nil {
		return "", errors.New("it was to fail")
	}
	return call.URI(), nil
})

func TestStartedCallsAreListed(t *testing.T) {
	ctx, root := onDisk(t)
	apart := mops.On(inproc.New(inproc.Limit(0))) // it keeps its slot while it waits, and there may be one
	uri, info, err := starter.With(apart).Do(ctx, "started")
	if err != nil {
		t.Fatal(err)
	}
	if of := header[record.ResultHeader](t, info.URI, "result").Run; !slices.Equal(of.Made, []string{strings.TrimPrefix(uri, root+"/")}) {
		t.Errorf("it made %q", of.Made)
	}
}
