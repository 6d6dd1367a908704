package mops_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// namesake is one of several stores whose roots have the same name.
type namesake struct {
	*memblob.Store
	identity string
}

func (n namesake) Identity() string { return n.identity }
func (namesake) Root() string       { return "namesake://bucket" }

func init() {
	services := map[string]*memblob.Store{"new": memblob.New(), "old": memblob.New()}
	blob.Register("namesake", func(_ context.Context, uri string) (driver.Store, error) {
		_, service, _ := strings.Cut(uri, "?endpoint=")
		return namesake{services[service], service}, nil
	})
}

// An old home may be a bucket of the same name at another service. Without a
// parameter it is that of the call.
func TestAnOldHomeOfTheSameName(t *testing.T) {
	_, ctx := newEnv(t, mops.CacheDir(t.TempDir()))
	for i, c := range []struct{ service, home string }{
		{"old", "namesake://bucket?endpoint=old/mops1/default/f@0"},
		{"new", "namesake://bucket/mops1/default/f@0"},
	} {
		must(mops.Define("f", double, private(), mops.Root("namesake://bucket?endpoint="+c.service)).Call(ctx, i))
		for _, name := range []string{"f", "g"} {
			if name+c.service == "fnew" { // that is the very same place
				continue
			}
			f := moved(t, name, mops.Root("namesake://bucket?endpoint=new"), mops.ReadFrom(c.home))
			if out, info, err := f.Do(ctx, i); err != nil || out != 2*i || info.Outcome != mops.Hit {
				t.Errorf("%s, %s: %d, %+v, %v", name, c.home, out, info, err)
			}
		}
	}
}

// moved defines a function that must not run.
func moved(t *testing.T, name string, options ...mops.FuncOption) *mops.Func[int, int] {
	t.Helper()
	return mops.Define(name, func(context.Context, int) (int, error) {
		return 0, errors.New("it ran")
	}, append(options, private())...)
}

func TestResultsAreReadFromAnOldHome(t *testing.T) {
	ctx, root := onDisk(t)
	oldRoot := "file://" + t.TempDir()
	old := mops.Define("old", double, private(), mops.Version("1"), mops.Pipeline("spring"), mops.Root(oldRoot))
	earlier, earlierCtx := newEnv(t, mops.CacheDir(t.TempDir()))
	uri := uriOf(t, earlierCtx, old, 21)
	if err := earlier.Close(); err != nil { // it writes nothing more
		t.Fatal(err)
	}
	before := listing(t, oldRoot)
	from := mops.ReadFrom(oldRoot + "/mops1/spring/old@1")
	for name, f := range map[string]*mops.Func[int, int]{
		"name":     moved(t, "new/name", mops.Version("1"), mops.Pipeline("spring"), mops.Root(oldRoot), from),
		"version":  moved(t, "old", mops.Version("2"), mops.Pipeline("spring"), mops.Root(oldRoot), from),
		"pipeline": moved(t, "old", mops.Version("1"), mops.Root(oldRoot), from),
		"root":     moved(t, "old", mops.Version("1"), mops.Pipeline("spring"), from),
		"all":      moved(t, "new/name", from),
		"the last": moved(t, "new", mops.ReadFrom(root+"/mops1/nowhere/old@1"), mops.ReadFrom(root+"/mops1/default/new@0/"), from),
	} {
		for _, f := range []*mops.Func[int, int]{f, f.With(mops.RequireResults()), f.With(mops.ReadOnly()), f.With(mops.KeepErrors())} {
			out, info, err := f.Do(ctx, 21)
			if err != nil || out != 42 || info.Outcome != mops.Hit || info.URI != uri {
				t.Errorf("%s: %d, %+v, %v", name, out, info, err)
			}
		}
		call, err := f.Start(ctx, 21)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := call.Wait(ctx); err != nil || out != 42 || call.Info().URI != uri || call.Info().Outcome != mops.Hit {
			t.Errorf("%s, started: %d, %+v, %v", name, out, call.Info(), err)
		}
		_, err = f.With(mops.RequireResults()).Call(ctx, 22)
		mentions(t, err, "results are required", "old home mops1/spring/old@1")
		for _, again := range []*mops.Func[int, int]{f, f.With(mops.Refresh())} {
			_, err = again.Call(ctx, 22)
			mentions(t, err, "it ran")
		}
		_, err = f.With(mops.Refresh()).Call(mops.WithOptions(ctx, mops.Pipeline("refreshed"), mops.Root(root)), 21)
		mentions(t, err, "it ran")
	}
	after := listing(t, oldRoot)
	for _, kept := range before {
		if !slices.Contains(after, kept) {
			t.Error("something was changed at the old home")
		}
	}
}

func TestWhatIsThereIsPreferred(t *testing.T) {
	ctx, root := onDisk(t)
	old := mops.Define("f", double, private())
	uriOf(t, ctx, old, 1)
	f := mops.Define("f", double, private(), mops.Version("2"))
	uri := uriOf(t, ctx, f, 1)
	if got := uriOf(t, ctx, moved(t, "f", mops.Version("2"), mops.ReadFrom(root+"/mops1/default/f@0")), 1); got != uri {
		t.Errorf("%s instead of %s", got, uri)
	}
	third := moved(t, "f", mops.Version("3"), mops.ReadFrom(root+"/mops1/default/f@2"), mops.ReadFrom(root+"/mops1/default/f@0"))
	if got := uriOf(t, ctx, third, 1); got != uri {
		t.Errorf("%s instead of %s", got, uri)
	}
}

func TestAnotherTypeOrCalleeIsAMissAtAnOldHome(t *testing.T) {
	ctx, root := onDisk(t)
	old := mops.Define("f", double, private())
	must(old.Call(ctx, 1))
	from := mops.ReadFrom(root + "/mops1/default/f@0")
	registry := private()
	callee := mops.Define("callee", double, registry)
	other := mops.Define("g", func(context.Context, int) (int64, error) { return 5, nil }, private(), from)
	if out, info, err := other.Do(ctx, 1); err != nil || out != 5 || info.Outcome != mops.Computed {
		t.Errorf("%d, %+v, %v", out, info, err)
	}
	calls := mops.Define("h", func(context.Context, int) (int, error) { return 6, nil }, registry, from, mops.Calls(callee))
	if out, info, err := calls.Do(ctx, 1); err != nil || out != 6 || info.Outcome != mops.Computed {
		t.Errorf("%d, %+v, %v", out, info, err)
	}
}

func TestFilesAreReadFromAnOldHome(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, root string) {
		if _, err := doubled.Call(ctx, newAtlas([]string{"x"}, nil, nil, nil, nil, nil)); err != nil {
			t.Fatal(err)
		}
		must(scatter.Call(ctx, sixWords))
		_, elsewhere := newEnv(t, mops.Root("file://"+t.TempDir()), mops.CacheDir(t.TempDir()))
		words := mops.Declare[[]string, bundle]("words", private(), mops.ReadFrom(root+"/mops1/default/test/scatter@0"))
		out, err := words.Call(elsewhere, sixWords)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range out.all() {
			if text, err := content(elsewhere, s); err != nil || text != sixWords[i] {
				t.Errorf("%q, %v", text, err)
			}
		}
		lists := mops.Declare[atlas, atlas]("lists", private(), mops.ReadFrom(root+"/mops1/default/test/doubled@0"))
		twice, err := lists.Call(elsewhere, newAtlas([]string{"x"}, nil, nil, nil, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		if list, err := twice.One.Get(elsewhere); err != nil || !slices.Equal(list, []string{"x"}) {
			t.Errorf("%q, %v", list, err)
		}
	})
}

// The operations that calls make with a function that has an old home.
func TestOperationsOfAnOldHome(t *testing.T) {
	var mu sync.Mutex
	var made []string
	root := stageRoot(t, func(op blobtest.Op, key string) error {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasPrefix(key, "mops1-sessions/") {
			where, _, _ := strings.Cut(strings.TrimPrefix(key, "mops1/default/"), "/")
			made = append(made, string(op)+" "+where+" "+filepath.Base(key))
		}
		return nil
	})
	_, ctx := newEnv(t, root, mops.KeepRun(false))
	old := mops.Define("old", double, private())
	must(old.Call(ctx, 1))
	home := "staged://" + t.Name() + "/mops1/default/"
	f := mops.Define("new", double, private(), mops.ReadFrom(home+"new@0"), mops.ReadFrom(home+"old@0")) // without a result at its own place
	for _, step := range []struct {
		name  string
		input int
		want  []string
	}{
		{"old hit", 1, []string{"get new@0 result", "get old@0 result"}},
		{"miss", 2, []string{"get new@0 result", "get old@0 result", "put new@0 lease", "put new@0 invocation", "put new@0 result"}},
		{"hit", 2, []string{"get new@0 result"}},
	} {
		mu.Lock()
		made = nil
		mu.Unlock()
		must(f.Call(ctx, step.input))
		mu.Lock()
		if !slices.Equal(made, step.want) {
			t.Errorf("%s: %q, want %q", step.name, made, step.want)
		}
		mu.Unlock()
	}
}

func TestCallersShareTheLookAtAnOldHome(t *testing.T) {
	var moving atomic.Bool
	looks, goOn := make(chan struct{}, 100), make(chan struct{})
	root := stageRoot(t, func(op blobtest.Op, key string) error {
		if moving.Load() && strings.Contains(key, "/old@0/") {
			looks <- struct{}{}
			<-goOn
		}
		return nil
	})
	_, ctx := newEnv(t, root, mops.KeepRun(false))
	must(mops.Define("old", double, private()).Call(ctx, 1))
	moving.Store(true)
	f := moved(t, "new", mops.ReadFrom("staged://"+t.Name()+"/mops1/default/old@0"))
	var calls []*mops.Call[int]
	for range 8 {
		call, err := f.Start(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	<-looks
	close(goOn)
	for _, call := range calls {
		if out, err := call.Wait(ctx); err != nil || out != 2 || call.Info().Outcome != mops.Hit {
			t.Errorf("%d, %+v, %v", out, call.Info(), err)
		}
	}
	if len(looks) > 0 {
		t.Errorf("%d more looks", len(looks))
	}
}

func TestAnOldHomeThatCannotBeRead(t *testing.T) {
	ctx, root := onDisk(t)
	f := moved(t, "f", mops.ReadFrom("staged://nobody/mops1/default/f@0"))
	_, err := f.Call(ctx, 1)
	mentions(t, err, "old home", "mops.ReadFrom", "staged://nobody", "nobody set this stage")
	if !blob.Is(err, blob.Unavailable) {
		t.Errorf("%v", err)
	}
	// A damaged result counts for nothing, and stays.
	old := mops.Define("old", double, private())
	path := strings.TrimPrefix(uriOf(t, ctx, old, 1), "file://") + "/result"
	if err := errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 100)); err != nil {
		t.Fatal(err)
	}
	_, other := newEnv(t, mops.Root(root), quiet)
	g := mops.Define("g", double, private(), mops.ReadFrom(root+"/mops1/default/old@0"))
	if out, info, err := g.Do(other, 1); err != nil || out != 2 || info.Outcome != mops.Computed {
		t.Errorf("%d, %+v, %v", out, info, err)
	}
	if info := must(os.Stat(path)); info.Size() != 100 {
		t.Error("the old result was replaced")
	}
}

// nested calls a function with an old home.
var nested = mops.Define("test/nested", func(ctx context.Context, oldRoot string) (string, error) {
	f := mops.Declare[string, visit]("test/inner-renamed", private(), mops.ReadFrom(oldRoot+"/mops1/default/test/inner@0"))
	_, info, err := f.Do(ctx, "nested")
	return info.URI, err
})

func TestAFunctionInAWorkerReadsFromAnOldHome(t *testing.T) {
	ctx, root := inSubprocesses(t)
	uri := uriOf(t, ctx, inner, "nested")
	other, _ := inSubprocesses(t)
	if got, err := nested.Call(other, root); err != nil || got != uri {
		t.Errorf("%s instead of %s, %v", got, uri, err)
	}
}

func TestReadFromRefusesWhatIsNoHome(t *testing.T) {
	for uri, says := range map[string]string{
		"forecast/train@1":              "no segment mops1",
		"file:///data/mops1/p/train":    "<name>@<version>",
		uriOfACall(t):                   "ends after counted@0",
		"s3://box/x?key=secret/mops1/p": "<name>@<version>",
	} {
		message := panics(t, func() { mops.ReadFrom(uri) })
		if !strings.HasPrefix(message, "mops.ReadFrom: ") || !strings.Contains(message, says) || strings.Contains(message, "secret") {
			t.Errorf("%s: %s", uri, message)
		}
	}
}

func uriOfACall(t *testing.T) string {
	f, _ := counted(t)
	return uriOf(t, mopstest.Context(t), f, 1)
}
