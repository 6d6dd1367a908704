package gc_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/gc"
)

const day = 24 * time.Hour

// table is a store in memory, with files for calls to work on.
type table struct {
	*testing.T
	root  string
	store *blob.Store
}

func newTable(t *testing.T) *table {
	t.Helper()
	root := "mem://" + strings.ReplaceAll(t.Name(), "/", "-")
	memblob.Forget(root)
	store, err := blob.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memblob.Forget(root) })
	return &table{t, root, store}
}

// input is a file of this machine.
func (b *table) input(content string) file {
	b.Helper()
	return fileAt(write(b, content))
}

func fileAt(path string) file { return file{source.File(path)} }

func write(t testing.TB, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// with runs a program.
func (b *table) with(do func(ctx context.Context, p *program)) {
	b.Helper()
	p := newProgram(b, b.root, 0)
	do(b.Context(), p)
	if err := p.close(); err != nil {
		b.Fatal(err)
	}
}

// must makes a call that works.
func must[Out any](b *table, p *program, name string, v in) (Out, string) {
	b.Helper()
	out, outcome, err := do[Out](b.Context(), p, name, v, false)
	if err != nil {
		b.Fatal(err)
	}
	return out, string(outcome.How)
}

func (b *table) gc(o gc.Options) *gc.Report {
	b.Helper()
	report, err := gc.Run(b.Context(), b.store, o)
	if err != nil {
		b.Fatal(err)
	}
	for _, problem := range report.Problems {
		b.Errorf("gc: %s", problem)
	}
	return report
}

// keys are all that is there, with versions.
func (b *table) keys(prefix string) (keys []string) {
	b.Helper()
	for info, err := range b.store.List(context.Background(), prefix, "") {
		if err != nil {
			b.Fatal(err)
		}
		keys = append(keys, info.Key+" "+string(info.Version))
	}
	return keys
}

// kinds counts the blobs of calls by what they are.
func (b *table) kinds() map[string]int {
	kinds := map[string]int{}
	for _, key := range b.keys(memokey.Format + "/") {
		key, _, _ := strings.Cut(key, " ")
		call, err := memokey.Parse(key)
		if err != nil {
			b.Fatal(err)
		}
		kind, _, _ := strings.Cut(call.Rest, "/")
		kinds[kind]++
	}
	return kinds
}

func expectKinds(b *table, when string, want map[string]int) {
	b.Helper()
	if got := b.kinds(); fmt.Sprint(got) != fmt.Sprint(want) {
		b.Errorf("%s there is %v, want %v", when, got, want)
	}
}

// A dry run changes nothing, not even a version; and what it shows is right.
func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		b.with(func(ctx context.Context, p *program) {
			must[string](b, p, "upper", in{Name: "a"})
			must[file](b, p, "copy", in{File: b.input("old")})
		})
		time.Sleep(100 * day)
		b.with(func(ctx context.Context, p *program) { must[string](b, p, "upper", in{Name: "b"}) })
		before := b.keys("")
		report := b.gc(gc.Options{Calls: gc.Selection{Older: 90 * day}, Content: true, Remains: true, TTL: 10 * day})
		if after := b.keys(""); !slices.Equal(before, after) {
			t.Errorf("something was changed:\n%s\n%s", before, after)
		}
		if report.Chosen.Count != 2 || report.Content.Count != 0 || report.Freed.Count != 0 {
			t.Errorf("chosen %+v, content %+v, freed %+v", report.Chosen, report.Content, report.Freed)
		}
		if len(report.Functions) != 2 || report.Functions[0].Function != "copy" || report.Functions[1].Calls != 2 || report.Functions[1].Results != 2 {
			t.Errorf("functions %+v", report.Functions)
		}
		ages := report.Functions[1].ByAge
		if ages[0].Count != 1 || ages[4].Count != 1 {
			t.Errorf("ages %v", ages)
		}
		if report.Shared[4].Count != 1 || report.Sessions[4].Count != 1 {
			t.Errorf("shared %v, sessions %v", report.Shared, report.Sessions)
		}
	})
}

func TestSelection(t *testing.T) {
	for _, c := range []struct {
		selection gc.Selection
		left      string
	}{
		{gc.Selection{}, "p/copy p/read p/upper p/upper"},
		{gc.Selection{Older: 30 * day}, "p/upper"},
		{gc.Selection{Pipeline: "p"}, ""},
		{gc.Selection{Pipeline: "q"}, "p/copy p/read p/upper p/upper"},
		{gc.Selection{Function: "upper"}, "p/copy p/read"},
		{gc.Selection{Function: "upper", Version: "1"}, "p/copy p/read"},
		{gc.Selection{Function: "upper", Version: "2"}, "p/copy p/read p/upper p/upper"},
		{gc.Selection{Function: "upper", Older: 30 * day}, "p/copy p/read p/upper"},
		{gc.Selection{Pipeline: "p", Function: "read"}, "p/copy p/upper p/upper"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newTable(t)
			b.with(func(ctx context.Context, p *program) {
				copied, _ := must[file](b, p, "copy", in{File: b.input("x")})
				must[string](b, p, "read", in{File: copied})
				must[string](b, p, "upper", in{Name: "a"})
			})
			time.Sleep(60 * day)
			b.with(func(ctx context.Context, p *program) { must[string](b, p, "upper", in{Name: "b"}) })
			for range 2 { // the files of a call go in the second run
				b.gc(gc.Options{Calls: c.selection, Delete: true})
				time.Sleep(2 * day)
			}
			var left []string
			for _, f := range b.gc(gc.Options{}).Functions {
				for range f.Calls {
					left = append(left, f.Pipeline+"/"+f.Function)
				}
			}
			if got := strings.Join(left, " "); got != c.left {
				t.Errorf("%+v left %q, want %q", c.selection, got, c.left)
			}
		})
	}
}

// The files of a call stay for the grace, and as long as another call names them.
func TestFilesOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		var copied file
		b.with(func(ctx context.Context, p *program) {
			copied, _ = must[file](b, p, "copy", in{File: b.input("x")})
			must[string](b, p, "read", in{File: copied})
		})
		remove := func(function string, want gc.Fate) {
			t.Helper()
			report := b.gc(gc.Options{Calls: gc.Selection{Function: function}, Grace: day, Delete: true})
			if report.Fates[want] != 1 || len(report.Fates) != 1 {
				t.Errorf("the fates are %v, want %s", report.Fates, want)
			}
		}
		remove("copy", gc.Later)
		expectKinds(b, "after the first run", map[string]int{"invocation": 2, "lease": 2, "out": 1, "result": 1})
		remove("copy", gc.Later)
		time.Sleep(day + time.Second)
		remove("copy", gc.FilesNamed)
		expectKinds(b, "after the grace", map[string]int{"invocation": 1, "lease": 1, "out": 1, "result": 1})
		b.with(func(ctx context.Context, p *program) { // what is named still works
			if got, how := must[string](b, p, "read", in{File: copied}); got != "x copied" || how != "hit" {
				t.Errorf("got %q, %s", got, how)
			}
		})
		remove("read", gc.Removed)
		remove("copy", gc.Removed)
		expectKinds(b, "in the end", map[string]int{})
	})
}

// Content that a removed result named stays for the grace, too; then it goes.
func TestContentOfRemovedResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		b.with(func(ctx context.Context, p *program) { must[file](b, p, "pack", in{File: b.input("x")}) })
		time.Sleep(30 * day)
		options := gc.Options{Calls: gc.Selection{Older: 20 * day}, Content: true, TTL: 10 * day, Grace: day, Delete: true}
		count := func(want int) {
			t.Helper()
			b.gc(options)
			if got := len(b.keys(source.ContentPrefix)); got != want {
				t.Errorf("there are %d blobs of content, want %d", got, want)
			}
		}
		count(3) // the input, which is a file of the folder, too; the other file, the manifest
		count(3)
		time.Sleep(day + time.Second)
		count(1) // the invocation was still there when the records were read
		count(0)
		if left := b.keys(""); len(left) > 1 { // the session of the program
			t.Errorf("left are %s", left)
		}
	})
}

// Content goes when no record names it and it is old, not before.
func TestContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		put := func(name string) string {
			key := source.BlobKey(source.Hash{31: name[0]})
			if _, err := b.store.PutBytes(t.Context(), key, []byte(name), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			return key
		}
		put("old")
		b.with(func(ctx context.Context, p *program) { // named by an invocation, and by a result through a manifest
			must[file](b, p, "pack", in{File: b.input("named")})
			must[string](b, p, "read", in{File: b.input("named, too")})
		})
		time.Sleep(61 * day)
		young := put("young")
		other := "mops1-blobs/sha256/README"
		if _, err := b.store.PutBytes(t.Context(), other, nil, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * day)
		report := b.gc(gc.Options{Content: true, Delete: true})
		if report.Content.Count != 1 || report.Freed.Count != 1 || report.Freed.Bytes != 3 {
			t.Errorf("content %+v, freed %+v", report.Content, report.Freed)
		}
		if keys := b.keys(source.ContentPrefix); len(keys) != 6 || !strings.HasPrefix(keys[0], young) {
			t.Errorf("left is %s", keys)
		}
	})
}

// Sessions of the dead, calls that nobody finished, files of runs that came second
// and what killed checks left go a week later; nothing else does.
func TestRemains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		var call string
		b.with(func(ctx context.Context, p *program) {
			_, outcome, err := do[file](ctx, p, "copy", in{File: b.input("x")}, false)
			if err != nil {
				t.Fatal(err)
			}
			call = outcome.Place.Path
			must[string](b, p, "upper", in{Name: "a"})
		})
		put := func(key string) {
			if _, err := b.store.PutBytes(t.Context(), key, []byte("x"), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		unfinished := memokey.Path("p", "upper", "1", memokey.Key{1})
		put(unfinished + "/invocation")
		put(call + "/out/2611231412-LostRun/copy")
		put("mops1-doctor/abc/blob")
		put("mops1-scratch/abc/1")
		put("mops1-packs/abc/list/000001")
		put(lease.SessionPrefix + "damaged")
		options := gc.Options{Remains: true, Delete: true}
		time.Sleep(23 * time.Hour)
		before := b.keys("")
		if report := b.gc(options); report.Freed.Count != 0 || !slices.Equal(before, b.keys("")) {
			t.Errorf("after a day, %+v was freed", report.Freed)
		}
		time.Sleep(7 * day)
		report := b.gc(options)
		if report.Freed.Count != 7+1 || report.Remains.Count != 1 || report.Dead.Count != 5 { // and the lease that was taken
			t.Errorf("freed %+v, remains %+v, dead %+v", report.Freed, report.Remains, report.Dead)
		}
		expectKinds(b, "in the end", map[string]int{"invocation": 2, "lease": 2, "out": 1, "result": 2})
		if left := b.keys(""); len(left) != 7+1 { // and the input
			t.Errorf("left are %s", left)
		}
	})
}

// The error goes before the result, or the next program that keeps errors would
// find the error of an older run; and the lease goes last.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		var path string
		b.with(func(ctx context.Context, p *program) {
			_, outcome, err := do[file](ctx, p, "copy", in{File: b.input("x")}, false)
			if err != nil {
				t.Fatal(err)
			}
			path = outcome.Place.Path
		})
		for _, name := range []string{"/error", "/runs/2611231412-LostRun.json", "/runs/2611231412-LostRun.log/000001"} {
			if _, err := b.store.PutBytes(t.Context(), path+name, []byte("x"), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		var order []string
		plan := blobtest.FaultPlan{After: func(op blobtest.Op, key string) error {
			if name, ok := strings.CutPrefix(key, path+"/"); op == blobtest.OpDelete && ok {
				name, _, _ = strings.Cut(name, "/")
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
			}
			return nil
		}}
		o := everything
		for range 2 {
			if _, err := gc.Run(t.Context(), blobtest.Faulty(b.store, plan), o); err != nil {
				t.Fatal(err)
			}
			o.Grace = time.Second
			time.Sleep(time.Minute)
		}
		slices.Sort(order[4:6]) // one step
		if got := fmt.Sprint(order); got != "[error result runs runs invocation out lease]" {
			t.Errorf("removed in the order %s", got)
		}
	})
}

// The files of a replaced result stay for the grace: a program that got the
// result a moment before may be about to read them.
func TestFilesOfReplacedResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		input := b.input("x")
		b.with(func(ctx context.Context, p *program) { must[file](b, p, "copy", in{File: input}) })
		time.Sleep(10 * day)
		options := gc.Options{Remains: true, Grace: day, Delete: true}
		b.with(func(ctx context.Context, p *program) {
			before, _ := must[file](b, p, "copy", in{File: input})
			if _, _, err := do[file](ctx, p, "copy", in{File: input}, true); err != nil {
				t.Fatal(err)
			}
			b.gc(options)
			if got, _ := must[string](b, p, "read", in{File: before}); got != "x copied" {
				t.Errorf("read %q", got)
			}
		})
		expectKinds(b, "before the grace has passed", map[string]int{"invocation": 2, "lease": 2, "out": 2, "result": 2})
	})
}
