package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/cluster/archive"
)

var copyCommand = cli.Command{
	Name: "k8s cp",
	Usage: []string{
		"k8s cp [--json] [flags] POD:PATH PATH",
		"k8s cp [--json] [flags] PATH POD:PATH",
	},
	Purpose: "copy files and folders to and from a pod that runs",
	Teach: `
POD is a pod's name, or a Job's, for its newest pod. The last path is the name that
the copy gets; with a slash at its end (or ".") it is the folder that the copy goes
into. What is there already is replaced. Permissions and times are kept, owners are
not; nothing of it is held in memory.

The pod needs tar in its image, or a program that uses mops as its entry point, which
then does the same. What a pod sends is not trusted: nothing but what was asked for
is written, and nothing outside of it. Links that lead out of a copy are left out.`,
	Example: `
mops k8s cp mops-forecast-train-x4c6mn2kqz7wq3vb:/tmp/profile.pb.gz .
mops k8s cp ./models mops-forecast-train-x4c6mn2kqz7wq3vb:/tmp/`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := copyOptions{}
		o.define(flags)
		flags.StringVar(&o.container, "container", "", "the `NAME` of the container, if not the worker's or the first one")
		return o.run
	},
}

type copyOptions struct {
	ClusterFlags
	container string
}

// copyView is what cp prints for programs.
type copyView struct {
	From string `json:"from"`
	To   string `json:"to"`
	archive.Count
}

func (o *copyOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	if len(line.Args) != 2 || len(line.Program) > 0 {
		return cli.Usagef("two places are needed: from where, to where")
	}
	fromPod, from, isFrom := place(line.Args[0])
	toPod, to, isTo := place(line.Args[1])
	switch {
	case isFrom == isTo:
		return cli.Usagef("one of the two places has to be in a pod, as in POD:PATH, and the other one here")
	case from == "" || to == "":
		return cli.Usagef("a path is missing: write POD:PATH")
	}
	v := copyView{From: line.Args[0], To: line.Args[1], Count: archive.Count{Notes: []string{}}}
	name := lastName(filepath.ToSlash(from))
	if name == "" {
		return cli.Usagef("%s has no name of its own; name a file or a folder in it", line.Args[0])
	}
	c, err := Connect(a, o.ClusterFlags)
	if err != nil {
		return err
	}
	pod, err := c.find(ctx, fromPod+toPod, o.container)
	if err != nil {
		return c.explain(err, " --copy")
	}
	var moving moved
	status := a.Status(moving.line)
	if isFrom {
		v.Count, err = pod.get(ctx, from, filepath.FromSlash(target(filepath.ToSlash(to), name)), &moving)
	} else {
		v.Count, err = pod.put(ctx, from, target(to, name), &moving)
	}
	status.Stop()
	if err != nil {
		return c.explain(fmt.Errorf("%s was not copied as a whole: %w", line.Args[0], err), " --copy")
	}
	if a.JSON {
		return a.PrintJSON(v)
	}
	for _, note := range v.Notes {
		fmt.Fprintf(a.Text, "left out: %s\n", note)
	}
	fmt.Fprintf(a.Text, "%s, %s\n", text.Count(v.Files, "file"), text.Bytes(v.Bytes))
	return nil
}

// place takes POD:PATH apart. A path with a slash or a backslash before its colon
// is one of this machine, and so is C:\data.
func place(text string) (pod, path string, inPod bool) {
	pod, path, found := strings.Cut(text, ":")
	if !found || len(pod) < 2 || strings.ContainsAny(pod, `/\`) {
		return "", text, false
	}
	return pod, path, true
}

// lastName is the name of what is at a path; "" for one that only leads somewhere.
func lastName(p string) string {
	switch name := path.Base(path.Clean(p)); name {
	case ".", "..", "/":
		return ""
	default:
		return name
	}
}

// target is the path that the copy gets.
func target(to, name string) string {
	if lastName(to) == "" || strings.HasSuffix(to, "/") {
		return path.Join(to, name)
	}
	return to
}

// line is how far it is.
func (m *moved) line() string {
	if n := m.bytes.Load(); n > 0 {
		return "copied " + text.Bytes(n)
	}
	return "waiting for the pod"
}

// moved counts what goes through it.
type moved struct{ bytes atomic.Int64 }

func (m *moved) Write(p []byte) (int, error) {
	m.bytes.Add(int64(len(p)))
	return len(p), nil
}

// lines counts lines.
type lines int64

func (l *lines) Write(p []byte) (int, error) {
	*l += lines(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// get copies from the pod.
func (p *podShell) get(ctx context.Context, from, to string, count *moved) (c archive.Count, err error) {
	from = path.Clean(from)
	name := path.Base(from)
	err = p.tar(ctx, []string{"-cf", "-", "-C", path.Dir(from), "./" + name}, archive.PackCommand(from), count, func(ctx context.Context, command []string, errs io.Writer) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		ran, unpacked := piped(
			func(stream io.Writer) error { return p.run(ctx, command, nil, stream, errs) },
			func(stream io.Reader) (err error) {
				if c, err = archive.Unpack(io.TeeReader(stream, count), name, to); errors.Is(err, archive.ErrRefused) {
					stop()
				}
				return err
			})
		// Where tar fails in the pod, the stream makes no sense here.
		if ran != nil && !errors.Is(ran, errStopped) && !errors.Is(ran, context.Canceled) {
			return ran
		}
		return unpacked
	})
	return c, err
}

// put copies to the pod.
func (p *podShell) put(ctx context.Context, from, to string, count *moved) (c archive.Count, err error) {
	to = path.Clean(to)
	name := path.Base(to)
	err = p.tar(ctx, []string{"-xpvf", "-", "-C", path.Dir(to)}, archive.UnpackCommand(name, to), count, func(ctx context.Context, command []string, errs io.Writer) error {
		var said lines
		packed, ran := piped(
			func(stream io.Writer) (err error) {
				c, err = archive.Pack(io.MultiWriter(stream, count), from, name)
				return err
			},
			func(stream io.Reader) error { return p.run(ctx, command, stream, &said, errs) })
		// What cannot be read here is why nothing was to be unpacked there.
		if packed != nil && !errors.Is(packed, errStopped) {
			return packed
		}
		// A connection that is closed early can look like success. Tar says a line for
		// each entry, its stand-in one at the end.
		if ran == nil && (said == 0 || command[0] == "tar" && int64(said) < c.Entries) {
			return errLost
		}
		return ran
	})
	return c, err
}

// piped runs both ends of a stream. When nobody reads any more, writing fails.
func piped(write func(io.Writer) error, read func(io.Reader) error) (wrote, hasRead error) {
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := write(writer)
		writer.CloseWithError(err) // the end of the stream, if it is nil
		ended <- err
	}()
	hasRead = read(reader)
	reader.CloseWithError(errStopped)
	return <-ended, hasRead
}
