package source

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
)

// processVariable makes the test binary another process that asks for the path
// of a source, says it, and stays until its standard input ends.
const processVariable = "SOURCE_TEST_PROCESS"

func TestMain(m *testing.M) {
	blobtest.RegisterServed()
	rangeSize = 128 << 10
	if text := os.Getenv(processVariable); text != "" {
		if err := runProcess(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type errand struct {
	Root, Cache string
	At          Location
}

func runProcess(text string) error {
	var e errand
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return err
	}
	f, err := New(Options{CacheDir: e.Cache, CacheSize: 1 << 30})
	if err != nil {
		return err
	}
	defer f.Close()
	store, err := blob.Open(context.Background(), e.Root)
	if err != nil {
		return err
	}
	data, err := encoding.Marshal(e.At.Identity)
	if err != nil {
		return err
	}
	r, err := Decode(data)
	if err != nil {
		return err
	}
	if err := f.Bind(store, callPrefix, []*Ref{r}, []Location{e.At}); err != nil {
		return err
	}
	path, err := r.Path(context.Background())
	if err != nil {
		return err
	}
	fmt.Println(path)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// process is another process on an errand.
type process struct {
	t       *testing.T
	command *exec.Cmd
	input   io.Closer
	output  *bufio.Reader
	errors  strings.Builder
}

func start(t *testing.T, e errand) *process {
	t.Helper()
	p := &process{t: t, command: exec.Command(must(os.Executable())(t))}
	p.command.Env = append(os.Environ(), processVariable+"="+string(must(json.Marshal(e))(t)))
	p.command.Stderr = &p.errors
	p.input = must(p.command.StdinPipe())(t)
	p.output = bufio.NewReader(must(p.command.StdoutPipe())(t))
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// path waits for the path.
func (p *process) path() string {
	p.t.Helper()
	line, err := p.output.ReadString('\n')
	if err != nil {
		p.command.Wait()
		p.t.Fatalf("the process ended: %s", &p.errors)
	}
	return strings.TrimSpace(line)
}

// kill ends it as nothing could expect.
func (p *process) kill() {
	p.command.Process.Kill()
	p.command.Wait()
}
