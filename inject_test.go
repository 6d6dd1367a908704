package mops_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

func TestWhatWasInjectedIsAHit(t *testing.T) {
	ctx, root := onDisk(t)
	f := mops.Declare[int, string]("elsewhere", private(), mops.Version("3"))
	if err := f.Inject(ctx, 7, "seven"); err != nil {
		t.Fatal(err)
	}
	out, info, err := f.Do(ctx, 7)
	if err != nil || out != "seven" || info.Outcome != mops.Hit || info.Run == "" {
		t.Fatalf("%s, %+v, %v", out, info, err)
	}
	if !strings.HasPrefix(info.URI, root+"/mops1/default/elsewhere@3/") {
		t.Error(info.URI)
	}
	var header record.ResultHeader
	readRecord(t, info.URI+"/result", record.KindResult, &header)
	if run := header.Run; !header.Injected || run.Outcome != "injected" || run.Started.IsZero() || run.Host == "" || header.RunID != info.Run {
		t.Errorf("%+v", header)
	}
}

// readRecord reads the header of a record in a folder.
func readRecord(t *testing.T, uri string, kind record.Kind, header any) {
	t.Helper()
	found := must(record.Open(kind, must(os.ReadFile(strings.TrimPrefix(uri, "file://")))))
	if err := found.Into(header); err != nil {
		t.Fatal(err)
	}
}

func TestAResultIsReplacedOnlyByRefresh(t *testing.T) {
	ctx := mopstest.Context(t)
	f, runs := counted(t)
	uri := uriOf(t, ctx, f, 1)
	err := f.Inject(ctx, 1, 100)
	if !blob.Is(err, blob.Exists) {
		t.Errorf("%v is not Exists", err)
	}
	mentions(t, err, "counted", uri, "exists already: the result of run", "mops.Refresh")
	if out := must(f.Call(ctx, 1)); out != 2 {
		t.Errorf("%d", out)
	}
	fresh := f.With(mops.Refresh())
	if err := fresh.Inject(ctx, 1, 100); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*mops.Func[int, int]{f, fresh} { // the refresh replaced it
		if out, info, err := g.Do(ctx, 1); err != nil || out != 100 || info.Outcome != mops.Hit {
			t.Errorf("%d, %+v, %v", out, info, err)
		}
	}
	if err := f.Inject(ctx, 1, 101); !blob.Is(err, blob.Exists) {
		t.Errorf("over an injected one: %v", err)
	}
	if err := fresh.Inject(ctx, 1, 102); err != nil || must(f.Call(ctx, 1)) != 102 {
		t.Errorf("again: %v", err)
	}
	if runs.Load() != 1 {
		t.Errorf("%d runs", runs.Load())
	}
}

func TestADamagedResultIsReplacedByAnInjectedOne(t *testing.T) {
	ctx, _ := onDisk(t)
	f, _ := counted(t)
	path := strings.TrimPrefix(uriOf(t, ctx, f, 1), "file://") + "/result"
	if err := errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 100)); err != nil {
		t.Fatal(err)
	}
	if err := f.Inject(ctx, 1, 100); err != nil {
		t.Fatal(err)
	}
	if out, info, err := f.Do(ctx, 1); err != nil || out != 100 || info.Outcome != mops.Hit {
		t.Errorf("%d, %+v, %v", out, info, err)
	}
}

func TestFilesAreInjectedWithTheirOutput(t *testing.T) {
	type report struct {
		Text  mops.Source
		Pages mops.Source
		Table mops.Shared[[]int]
	}
	ctx, _ := onDisk(t)
	f := mops.Declare[mops.Source, report]("report", private())
	path, in := file(t, "report.txt", "the report"), mops.File(file(t, "in", "x"))
	out := report{mops.File(path), mops.Dir(folder(t, map[string]string{"1.txt": "one"})), mops.Share([]int{1, 2})}
	if err := f.Inject(ctx, in, out); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	got, err := f.Call(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := content(ctx, got.Text); err != nil || text != "the report" {
		t.Errorf("%q, %v", text, err)
	}
	if dir, err := got.Pages.Path(ctx); err != nil || string(must(os.ReadFile(dir+"/1.txt"))) != "one" {
		t.Errorf("%v", err)
	}
	if table, err := got.Table.Get(ctx); err != nil || len(table) != 2 {
		t.Errorf("%v, %v", table, err)
	}
	err = f.Inject(ctx, mops.File(file(t, "in", "y")), report{Text: mops.File(path)})
	mentions(t, err, "report: the files of the output", path)
}

func TestNothingIsInjectedWhereNothingMayBeWritten(t *testing.T) {
	ctx, root := onDisk(t)
	f, _ := counted(t)
	for variable, option := range map[string]mops.Option{"MOPS_OFF": mops.Off(), "MOPS_READ_ONLY": mops.ReadOnly()} {
		err := f.With(option).Inject(ctx, 1, 2)
		mentions(t, err, "counted", variable, "inject without it")
	}
	if files := listing(t, root); len(files) > 0 {
		t.Errorf("the store has %q", files)
	}
}

func TestWhoComputesACallGetsWhatIsInjectedMeanwhile(t *testing.T) {
	ctx := mopstest.Context(t)
	f, begun, goOn, _ := gated()
	call, err := f.Start(ctx, 5)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := f.Inject(ctx, 5, 500); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if out, err := call.Wait(ctx); err != nil || out != 500 || call.Info().Outcome != mops.Awaited {
		t.Errorf("%d, %+v, %v", out, call.Info(), err)
	}
}

func TestInjectNeedsAnOpenEnvironment(t *testing.T) {
	f, _ := counted(t)
	if err := f.Inject(context.Background(), 1, 2); !errors.Is(err, mops.ErrNoEnvironment) {
		t.Error(err)
	}
	env, err := mops.New(t.Context(), memoryRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	env.Close()
	if err := f.Inject(env.Context(t.Context()), 1, 2); !errors.Is(err, mops.ErrClosed) {
		t.Error(err)
	}
}
