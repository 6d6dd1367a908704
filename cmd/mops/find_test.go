package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
)

type forecastIn struct {
	City   string
	Day    int
	Text   string
	Limit  *int           `cbor:",omitzero"`
	Late   map[string]int `cbor:",omitzero"`
	Secret string         `mops:"-"`
}

type forecastOut struct {
	Degrees float64
	Note    string
}

var forecast = mops.Define("find/forecast", func(_ context.Context, in forecastIn) (forecastOut, error) {
	if in.City == "Atlantis" {
		return forecastOut{}, errors.New("there is no station in <b>Atlantis</b>")
	}
	return forecastOut{Degrees: float64(in.Day % 40), Note: in.Text}, nil
})

// Long values are whole for programs, and cut for people; HTML is escaped in JSON; what
// a program keeps to itself was never stored.
func TestFindOddValues(t *testing.T) {
	l := newTool(t)
	long := strings.Repeat("<i>日本</i>\x1b[31m", 10<<20/18)
	l.call(func(ctx context.Context) {
		for _, in := range []forecastIn{{City: "Oslo", Text: long, Secret: "hunter2"}, {City: "Rome"}, {City: "Atlantis"}} {
			if _, err := forecast.Call(ctx, in); (err != nil) != (in.City == "Atlantis") {
				t.Fatal(err)
			}
		}
	})
	stdout, stderr, code := l.run("ls", "--where", `len(In.Text) > 1000000 && Out.Note contains "日"`, "--show", "In,Out.Note")
	if code != 0 || len(stdout) > 2000 || !strings.Contains(stdout, "<i>日本</i>") || !strings.Contains(stdout, "1 of 3 calls") {
		t.Errorf("%d, %s, %.3000s", code, stderr, stdout)
	}
	stdout, _, _ = l.run("ls", "--json", "--where", `In.Limit == nil`, "--show", "In,Out.Note,Err")
	var found struct {
		Calls []struct {
			Show struct {
				In   map[string]any
				Note string `json:"Out.Note"`
				Err  string
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || len(found.Calls) != 3 {
		t.Fatal(err, len(found.Calls))
	}
	i := slices.IndexFunc(found.Calls, func(c struct {
		Show struct {
			In   map[string]any
			Note string `json:"Out.Note"`
			Err  string
		}
	}) bool {
		return c.Show.In["City"] == "Oslo"
	})
	if show := found.Calls[i].Show; show.Note != long || show.In["Text"] != long {
		t.Error("the long text is not whole in JSON")
	}
	if strings.Contains(stdout, "<") || strings.Contains(stdout, "\x1b") || strings.Contains(stdout, "hunter2") || strings.Contains(stdout, "Secret") {
		t.Error("JSON has what it must not have")
	}
	stdout, _, _ = l.run("ls", "--csv", "--where", `In.City == "Oslo"`, "--show", "In.Text,In.City")
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][3] != strings.ReplaceAll(long, "\x1b", `\u001b`) || rows[1][4] != "Oslo" {
		t.Error("the long text is not whole in CSV", err)
	}
	_, stderr, code = l.run("ls", "--show", "In.Secret")
	if code != cli.ExitUsage || !strings.Contains(stderr, "In has the fields City, Day, Late, Limit, Text") {
		t.Error(code, stderr)
	}
}

// fill makes so many calls.
func fill(tb testing.TB, root string, n int) {
	tb.Helper()
	env, err := mops.New(tb.Context(), mops.Isolated(), mops.Root(root), mops.CacheDir(tb.TempDir()))
	if err != nil {
		tb.Fatal(err)
	}
	ctx := env.Context(tb.Context())
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			in := forecastIn{City: "Rome", Day: i, Text: strings.Repeat("x", 200)}
			if i%100 == 0 {
				in.City = "Oslo"
			}
			if i == n/2 {
				in.Late = map[string]int{"a": 1}
			}
			_, err := forecast.Call(ctx, in)
			return err
		})
	}
	if err := errors.Join(group.Wait(), env.Close()); err != nil {
		tb.Fatal(err)
	}
}

// More calls than are judged together come each once, and in the order of the list;
// --newest takes the newest of those found.
func TestFindMany(t *testing.T) {
	l := newTool(t)
	fill(t, l.root, 1200)
	stdout, _, _ := l.run("ls", "--json", "--where", `In.City == "Oslo" && Out.Degrees >= 0`, "--show", "In.Day")
	var found struct {
		Found, Of int
		Calls     []struct {
			URI  string
			Show map[string]int
		}
	}
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || found.Found != 12 || found.Of != 1200 || len(found.Calls) != 12 {
		t.Fatalf("%v, %+v", err, found)
	}
	seen := map[int]bool{}
	for i, c := range found.Calls {
		if day := c.Show["In.Day"]; day%100 != 0 || seen[day] || i > 0 && c.URI <= found.Calls[i-1].URI {
			t.Errorf("%+v", c)
		}
		seen[c.Show["In.Day"]] = true
	}
	l.expect(0, []string{"the newest 3 of the 12 found, of 1,200 calls"}, "ls", "--newest", "3", "--where", `In.City == "Oslo"`)
	l.expect(0, []string{"\n1 of 1,200 calls\n"}, "ls", "--where", `In.Late.a == 1`)
	l.expect(0, []string{"\n1,200 of 1,200 calls\n"}, "ls", "--where", `len(In.Late) < 5`)
	l.now = l.now.Add(48 * time.Hour)
	l.expect(0, []string{"0 of 1,200 calls"}, "ls", "--since", "1d")
	l.expect(0, []string{"1,200 of 1,200 calls"}, "ls", "--since", "3d")
}

// An interrupt ends it while reads are under way.
func TestFindInterrupted(t *testing.T) {
	l := newTool(t)
	fill(t, l.root, 200)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reads := 0
	var mu sync.Mutex
	slowed.Store(l.root, faraway{read: func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if reads++; reads > 50 {
			cancel()
			<-ctx.Done() // as a request that nobody answers
			return ctx.Err()
		}
		return nil
	}})
	var out, errs bytes.Buffer
	a := &cli.App{Stdout: &out, Text: cli.NewTextWriter(&out), Stderr: &errs, Now: time.Now, Lookup: l.lookup}
	code := commands.Main(ctx, a, []string{"ls", "--json", "--show", "In,Out", strings.Replace(l.root, "file://", "slow://", 1)})
	if code != 130 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("%d, %s", code, &errs)
	}
}

// faraway is a store on this machine that is read as one elsewhere.
type faraway struct {
	driver.Store
	read func(context.Context) error // before each request
}

var slowed sync.Map // of faraway, by root

func init() {
	blob.Register("slow", func(_ context.Context, uri string) (driver.Store, error) {
		root := strings.Replace(uri, "slow://", "file://", 1)
		store, err := fileblob.Open(strings.TrimPrefix(root, "file://"))
		if err != nil {
			return nil, err
		}
		how, _ := slowed.Load(root)
		return faraway{store.Driver(), how.(faraway).read}, nil
	})
}

func (s faraway) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	if err := s.read(ctx); err != nil {
		return nil, driver.Info{}, err
	}
	return s.Store.Get(ctx, key, part)
}

// List has pages, as those of services have.
func (s faraway) List(ctx context.Context, prefix, from string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		n := 0
		for info, err := range s.Store.List(ctx, prefix, from) {
			if n%1000 == 0 && err == nil {
				err = s.read(ctx)
			}
			if n++; !yield(info, err) {
				return
			}
		}
	}
}

// The time of finding calls against that of listing them and reading the same records,
// as many side by side, and nothing else ("ratio"); and against reading alone, by keys
// that are known ("reads-ratio"). In a folder, where a list costs as much as reading, and
// where each request takes 20 ms.
func BenchmarkFind(b *testing.B) {
	const calls = 10_000
	root := "file://" + b.TempDir()
	fill(b, root, calls)
	slowed.Store(root, faraway{read: func(ctx context.Context) error {
		select {
		case <-time.After(20 * time.Millisecond): // it is the passing of time that is wanted
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	for name, root := range map[string]string{"folder": root, "latency=20ms": strings.Replace(root, "file://", "slow://", 1)} {
		store, err := blob.Open(b.Context(), root)
		if err != nil {
			b.Fatal(err)
		}
		width := 48
		if store.IsLocal() {
			width = 8
		}
		for records, where := range map[string]string{
			"invocation":        `In.City == "Oslo" && In.Day > 20`,
			"invocation,result": `In.City == "Oslo" && Out.Degrees > 20`,
		} {
			b.Run(name+"/"+records, func(b *testing.B) {
				listed := func(yield func(string) bool) {
					for info, err := range store.List(b.Context(), "mops1/", "") {
						if err != nil {
							b.Fatal(err)
						}
						name := info.Key[strings.LastIndex(info.Key, "/")+1:]
						if slices.Contains(strings.Split(records, ","), name) && !yield(info.Key) {
							return
						}
					}
				}
				known := slices.Collect(listed)
				read := func(keys iter.Seq[string]) error {
					var group errgroup.Group
					group.SetLimit(width)
					for key := range keys {
						group.Go(func() error {
							_, _, err := store.ReadAll(b.Context(), key, nil)
							return err
						})
					}
					return group.Wait()
				}
				find := func() error {
					a := &cli.App{Stdout: io.Discard, Text: cli.NewTextWriter(io.Discard), Stderr: io.Discard, Now: time.Now, Lookup: func(string) (string, bool) { return "", false }}
					if code := commands.Main(b.Context(), a, []string{"ls", "--where", where, "--show", "In.Day", root}); code != 0 {
						return fmt.Errorf("exit code %d", code)
					}
					return nil
				}
				timed := func(do func() error) float64 {
					start := time.Now()
					if err := do(); err != nil {
						b.Fatal(err)
					}
					return time.Since(start).Seconds()
				}
				var whole, reads []float64
				for b.Loop() {
					ours := timed(find)
					whole = append(whole, ours/timed(func() error { return read(listed) }))
					reads = append(reads, ours/timed(func() error { return read(slices.Values(known)) }))
				}
				slices.Sort(whole)
				slices.Sort(reads)
				b.ReportMetric(whole[len(whole)/2], "ratio")
				b.ReportMetric(reads[len(reads)/2], "reads-ratio")
			})
		}
	}
}
