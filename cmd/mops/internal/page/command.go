package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
)

// Page is mops page.
var Page = cli.Command{
	Name:    "page",
	Usage:   []string{"page [-o FILE] RUN"},
	Purpose: "write a run of a program as one HTML file",
	Teach: `
The file shows what the run did: its failures with error, stack and the end of the
log, what was computed and what the memo saved, a timeline of all calls by function
or worker, who called whom, and a table of the calls that sorts and filters. It needs
nothing else: send it to a colleague, or attach it to a ticket. It holds what the
records say, so whoever gets it can read that.

RUN is the id of a run, its beginning if no other run has that, or latest; in another
root than the default one it stands behind ROOT/mops1-runs/. The file is
mops-run-ID.html in the current folder, or what -o says; -o - writes it to standard
output.`,
	Example: `
mops page latest
mops page -o run.html s3://box/mops/mops1-runs/2611231412-SkirtBus`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := pageOptions{}
		flags.StringVarP(&o.out, "output", "o", "", "the `FILE` to write; - is standard output")
		return o.run
	},
	Complete: roots.CompleteRun,
}

type pageOptions struct{ out string }

func (o *pageOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	name, err := line.One("a run: its id, or latest")
	if err != nil {
		return err
	}
	if o.out == "json" || o.out == "yaml" || o.out == "table" {
		return cli.Usagef("-o names the file, which can hardly be meant by %[1]s: write ./%[1]s if it is; --json prints what was written, for programs", o.out)
	}
	store, run, err := roots.ReadRun(ctx, a, name)
	if err != nil {
		return err
	}
	config, err := roots.ConfigFile(a)
	if err != nil {
		return cli.Usage(err)
	}
	p := newRunPage(ctx, store, run, config.Prices, a.Now(), 0)
	p.Live, p.Policy = false, policy()
	if o.out == "-" {
		return render(a.Stdout, "run.html", p)
	}
	path := o.out
	if path == "" {
		path = "mops-run-" + run.ID + ".html"
	}
	size, err := writeFile(path, func(w io.Writer) error { return render(w, "run.html", p) })
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	return a.Print(map[string]any{"run": run.ID, "file": absolute, "bytes": size}, "%s\n", absolute)
}

// writeFile writes a file that is whole when it appears.
func writeFile(path string, write func(io.Writer) error) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".mops-page-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	err = write(f)
	if err == nil {
		size, err = f.Seek(0, io.SeekCurrent)
	}
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return 0, err
	}
	return size, os.Rename(f.Name(), path)
}

// defaultPort is "mops" on the keys of a telephone.
const defaultPort = 6677

// Serve is mops serve.
var Serve = cli.Command{
	Name:    "serve",
	Usage:   []string{"serve [--port N] [ROOT]"},
	Purpose: "show a root in a browser: runs, functions and calls, while they go on",
	Teach: `
It shows the root at http://127.0.0.1:6677/, until Ctrl-C: the runs of programs with
their timelines, the functions, and each call with input, output, error, log and
history. What still runs is shown as it goes on. Nothing is written to the root.

It answers this machine alone, and only under the names localhost and 127.0.0.1.
Everybody who has an account on the machine can open the pages, so on a shared machine
think of who that is. From elsewhere, forward the port:
ssh -L 6677:localhost:6677 HOST.`,
	Example: `
mops serve
mops serve --port 8080 s3://box/mops`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := serveOptions{}
		flags.IntVar(&o.port, "port", defaultPort, "the port; 0 takes one that is free")
		return o.run
	},
	Complete: roots.CompleteRoot,
}

type serveOptions struct{ port int }

func (o *serveOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	store, err := roots.Opened(ctx, a, line)
	if err != nil {
		return err
	}
	config, err := roots.ConfigFile(a)
	if err != nil {
		return cli.Usage(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	if err != nil {
		return fmt.Errorf("%w; --port chooses another, and --port 0 one that is free", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	err = a.Print(map[string]any{"root": store.Root(), "url": url}, "%s is shown at %s until Ctrl-C\n", store.Root(), url)
	if err != nil {
		return err
	}
	if err := a.Text.Flush(); err != nil {
		return err
	}
	return newServer(ctx, store, config.Prices, a.Now, slog.New(slog.NewTextHandler(a.Stderr, nil))).serve(listener)
}
