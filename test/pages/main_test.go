package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// shared is what all tests use: the tool and a browser.
var shared struct {
	dir     string
	browser *Browser
}

func TestMain(m *testing.M) {
	_, isWorker := os.LookupEnv(worker.Variable)
	if os.Getenv(programVariable) != "" || isWorker {
		mops.Main(program)
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pages")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared.dir = dir
	defer func() {
		if shared.browser != nil {
			shared.browser.Close()
		}
	}()
	return m.Run()
}

var tool = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared.dir, "mops")
	said, err := exec.Command("go", "build", "-C", "../..", "-o", path, "./cmd/mops").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the tool: %w\n%s", err, said)
	}
	return path, nil
})

var chromium = sync.OnceValues(func() (*Browser, error) {
	program, _ := Chromium() // needs has looked
	b, err := Start(context.Background(), program)
	shared.browser = b
	return b, err
})

// needs leaves a test out that cannot be run, and returns the tool and the browser.
func needs(t testing.TB) (mops string, b *Browser) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out with -short: opens pages in a browser")
	}
	if _, err := Chromium(); err != nil {
		t.Skip(err)
	}
	mops, err := tool()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = chromium(); err != nil {
		t.Fatal(err)
	}
	return mops, b
}

// rootOf makes a root with runs in it.
func rootOf(t testing.TB, made ...Made) *blob.Store {
	t.Helper()
	store, err := blob.Open(t.Context(), "file://"+filepath.ToSlash(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range made {
		if err := m.Put(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		if m.Live {
			goesOn(t, store, m.ID())
		}
	}
	return store
}

// goesOn makes a run live for as long as the test takes: its head is from tomorrow.
func goesOn(t testing.TB, store *blob.Store, run string) {
	t.Helper()
	head := filepath.Join(strings.TrimPrefix(store.Root(), "file://"), programs.Prefix, run, "head.json")
	tomorrow := time.Now().Add(24 * time.Hour)
	if err := os.Chtimes(head, tomorrow, tomorrow); err != nil {
		t.Fatal(err)
	}
}

// file is a run as a page, by mops page.
func file(t testing.TB, mops, root, run string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.html")
	said, err := exec.Command(mops, "page", "-o", path, root+"/mops1-runs/"+run).CombinedOutput()
	if err != nil {
		t.Fatalf("mops page: %v\n%s", err, said)
	}
	return "file://" + path
}

// serve starts mops serve and returns where it answers.
func serve(t testing.TB, mops, root string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, mops, "serve", "--json", "--port", "0", root)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = time.Minute
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := command.Wait(); err != nil && ctx.Err() == nil {
			t.Errorf("mops serve: %v\n%s", err, complaints.String())
		}
	})
	var said struct{ URL string }
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&said); err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	return strings.TrimSuffix(said.URL, "/")
}

// tab opens a page, and at the end of the test says what went wrong on it.
func tab(t testing.TB, b *Browser, address string, v View) *Tab {
	t.Helper()
	p, err := b.Open(address, v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			p.keep(t)
		}
		p.Close()
		if problems := p.Problems(); len(problems) > 0 {
			t.Errorf("%s: %s", address, strings.Join(problems, "\n"))
		}
	})
	return p
}

// keep leaves a picture of a page on which a test failed.
func (t *Tab) keep(tb testing.TB) {
	dir := os.Getenv("MOPS_TEST_PICTURES")
	if dir == "" {
		return
	}
	if picture, err := t.Shot(false); err == nil {
		os.WriteFile(filepath.Join(dir, strings.ReplaceAll(tb.Name(), "/", "-")+".png"), picture, 0o644)
	}
}

// is fails the test if an expression is not what it should be.
func is[T comparable](t testing.TB, p *Tab, expression string, want T) {
	t.Helper()
	got, err := Eval[T](p, expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	if got != want {
		t.Errorf("%s is %v, want %v", expression, got, want)
	}
}

func await(t testing.TB, p *Tab, expression string) {
	t.Helper()
	if err := p.Await(expression); err != nil {
		t.Fatal(err)
	}
}

func do(t testing.TB, p *Tab, script string) {
	t.Helper()
	if _, err := Eval[any](p, script+"; 0"); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}
