package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
)

// tool runs command lines in this process, against a root that calls of prog filled.
type tool struct {
	t    *testing.T
	root string
	now  time.Time

	client func(*rest.Config) (kubernetes.Interface, error) // of a cluster
}

func newTool(t *testing.T) *tool {
	return &tool{t: t, root: "file://" + filepath.ToSlash(t.TempDir()), now: time.Now()}
}

// call makes calls under the tool's root.
func (l *tool) call(make func(context.Context)) {
	l.t.Helper()
	env, err := mops.New(l.t.Context(), mops.Isolated(), mops.Root(l.root), mops.CacheDir(l.t.TempDir()))
	if err != nil {
		l.t.Fatal(err)
	}
	make(env.Context(l.t.Context()))
	if err := env.Close(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *tool) lookup(name string) (string, bool) {
	value, ok := map[string]string{"MOPS_ROOT": l.root}[name]
	return value, ok
}

func (l *tool) run(args ...string) (stdout, stderr string, code int) {
	return l.runIn(l.t.Context(), args...)
}

func (l *tool) runIn(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	a := &cli.App{Stdout: &out, Text: cli.NewTextWriter(&out), Stderr: &errs, Now: func() time.Time { return l.now }, Lookup: l.lookup, Client: l.client}
	code = commands.Main(ctx, a, args)
	return out.String(), errs.String(), code
}

// expect runs a command line and looks for texts in what it prints.
func (l *tool) expect(code int, texts []string, args ...string) {
	l.t.Helper()
	stdout, stderr, got := l.run(args...)
	if got != code {
		l.t.Errorf("mops %q: exit code %d, want %d\n%s", args, got, code, stderr)
	}
	for _, text := range texts {
		if !strings.Contains(stdout+stderr, text) {
			l.t.Errorf("mops %q does not print %q:\n%s%s", args, text, stdout, stderr)
		}
	}
}

func TestToolOnSoundRecords(t *testing.T) {
	l := newTool(t)
	var oslo, rome mops.Info
	l.call(func(ctx context.Context) {
		var err error
		if _, oslo, err = trade.Do(ctx, tradeIn{City: "Oslo", Rate: 0.1}); err != nil {
			t.Fatal(err)
		}
		if _, rome, err = trade.Do(ctx, tradeIn{City: "Rome", Rate: 0.1}); err != nil {
			t.Fatal(err)
		}
	})
	l.now = time.Now().Add(3*time.Hour + time.Minute)
	l.expect(0, []string{"shop/trade@1      2        2", "3 hours ago"}, "ls")
	l.expect(0, []string{"2 calls"}, "ls", "mops1/default/shop/trade@1")
	l.expect(0, []string{`City: "Oslo"`, "Total: 0.2", "computed in"}, "inspect", oslo.URI)
	l.expect(0, []string{`In.City: "Oslo" here, "Rome" there`}, "why", oslo.URI, rome.URI)
	l.expect(0, []string{"Nearest of 1 other call", `In.City: "Oslo" here, "Rome" there`}, "why", oslo.URI)
	l.expect(0, []string{"done: there is a result"}, "lease", oslo.URI)
	l.expect(cli.ExitNotFound, []string{"it ran in the program itself"}, "logs", oslo.URI)
	l.expect(cli.ExitNotFound, []string{"there is nothing at", "lease  result"}, "inspect", oslo.URI+"/error")
	l.expect(cli.ExitUsage, []string{"the program is missing"}, "verify", oslo.URI)

	stdout, _, _ := l.run("inspect", "--json", rome.URI)
	var view struct {
		State      string
		Invocation struct{ Value struct{ City string } }
	}
	if err := json.Unmarshal([]byte(stdout), &view); err != nil || view.State != "result" || view.Invocation.Value.City != "Rome" {
		t.Errorf("%+v, %v in\n%s", view, err, stdout)
	}
}

// Whatever is cut off a record, or whichever bit is flipped, the tool says that
// it is damaged, shows what it can, and does not fall over.
func TestToolOnDamagedRecords(t *testing.T) {
	l := newTool(t)
	var info mops.Info
	l.call(func(ctx context.Context) {
		var err error
		if _, info, err = trade.Do(ctx, tradeIn{City: "Oslo", Rate: 0.1, Tags: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
	})
	store, err := fileblob.Open(strings.TrimPrefix(l.root, "file://"))
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimPrefix(info.URI, l.root+"/") + "/invocation"
	data, stat, err := store.ReadAll(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte) {
		t.Helper()
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if _, err := store.PutBytes(t.Context(), key, data, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < int(stat.Size); n += 7 {
		put(data[:n])
		l.expect(cli.ExitFailed, []string{"he record is damaged"}, "inspect", info.URI+"/invocation")
		flipped := bytes.Clone(data)
		flipped[n] ^= 1 << (n % 8)
		put(flipped)
		l.expect(cli.ExitFailed, []string{"he record is damaged"}, "inspect", info.URI)
		l.run("why", info.URI)
	}
	put(data)
	l.expect(cli.ExitOK, []string{`City: "Oslo"`}, "inspect", info.URI)
}

func TestEveryCommandHasHelp(t *testing.T) {
	l := newTool(t)
	for _, c := range slices.Concat(commands.Commands, commands.Groups[0].Commands) {
		help := append([]string{"help"}, strings.Fields(c.Name)...)
		l.expect(0, []string{"mops " + c.Name + ": ", "Usage\n  mops " + c.Name, "Example\n  mops ", "--json", "Exit codes\n"}, help...)
		stdout, _, _ := l.run(help...)
		for line := range strings.SplitSeq(stdout, "\n") {
			if len([]rune(line)) > 100 {
				t.Errorf("help %s: a line of %d characters: %s", c.Name, len([]rune(line)), line)
			}
		}
	}
}
