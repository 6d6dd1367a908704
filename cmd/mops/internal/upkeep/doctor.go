package upkeep

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/kube"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/progress"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/doctor"
)

// Doctor is mops doctor.
var Doctor = cli.Command{
	Name:    "doctor",
	Usage:   []string{"doctor [--json] [--quick] [ROOT]", "doctor --k8s [--json] [flags]", "doctor --k8s --repository REPOSITORY [--json] [flags] ROOT"},
	Purpose: "examine whether a root, or a cluster, can be reached and is fit for use",
	Teach: `
It tries what programs do: reads, writes, conditional writes, races of many writers,
ranges, lists, deletes. It compares the clocks and measures how long small operations
take. Each thing gets a line: pass, warn or fail, and what to do about it. These are
the same checks that each kind of store was developed with.

What it writes lies below ROOT/mops1-doctor and is removed, also after Ctrl-C. Where
nothing can be removed, it stops after its first blob.

--quick leaves out the checks that make hundreds of operations in a row. With them,
it takes half a minute on a store whose operations take 50 ms.

--k8s examines a Kubernetes cluster instead: whether it answers, each permission that
whoever calls needs, the namespace, and the service account of pods. With --image,
whether nodes can pull that image; nothing of it is run. With --repository, this tool
is pushed there as an image, and examines ROOT in a pod: whether the store can be
reached from there, as whom. The Jobs that it makes are deleted.`,
	Example: `
mops doctor                        the default root
mops doctor s3://bucket/mops
mops doctor --quick adls://account/container/mops
mops doctor --k8s --namespace weather --image registry.example.com/forecast:1.4
mops doctor --k8s --repository registry.example.com/tools s3://bucket/mops`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := doctorOptions{}
		flags.BoolVar(&o.quick, "quick", false, "leave out what takes long on a store that is far away")
		flags.BoolVar(&o.cluster, "k8s", false, "examine a cluster; the flags below go with it")
		o.jobs.DefineUsual(flags)
		flags.StringVar(&o.image, "image", "", "try to pull this `IMAGE`")
		flags.StringVar(&o.repository, "repository", "", "push this tool to this `REPOSITORY`, to examine ROOT in a pod")
		flags.BoolVar(&o.insecure, "insecure", false, "with --repository: its registry may speak plain http")
		return o.run
	},
	Complete: roots.CompleteRoot,
}

type doctorOptions struct {
	quick bool

	cluster           bool
	jobs              kube.JobFlags
	image, repository string
	insecure          bool
}

// doctorView is what doctor prints for programs.
type doctorView struct {
	URI     string         `json:"uri"`
	Verdict doctor.Verdict `json:"verdict"` // the worst of all
	*doctor.Report
}

func (o *doctorOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	if o.cluster {
		return o.examineCluster(ctx, a, line)
	}
	store, err := roots.Bare(ctx, a, line)
	failed, unopened := errors.AsType[*blob.Error](err)
	if err != nil && !unopened {
		return err
	}
	far, status, show := begin(a)
	options := doctor.Options{Quick: o.quick, Now: a.Now, Progress: far, Line: show}
	var v doctorView
	if unopened {
		v.URI = failed.URI
		o.showBegin(a, v.URI)
		v.Report = doctor.Unopened(err, options)
	} else {
		v.URI = store.Root()
		o.showBegin(a, v.URI)
		leave := noteFolders(store)
		v.Report = doctor.Examine(ctx, store, options)
		leave()
	}
	status.Stop()
	return o.end(ctx, a, v)
}

// begin shows how far an examination is, and for people each line when it is known.
func begin(a *cli.App) (far *progress.Phases, status *cli.Status, line func(doctor.Line)) {
	far = new(progress.Phases)
	status = a.Status(func() string { return doctorLine(far.Now()) })
	return far, status, func(line doctor.Line) {
		if !a.JSON {
			status.Aside(func() { showLine(a, line); a.Text.Flush() })
		}
	}
}

func (o *doctorOptions) showBegin(a *cli.App, uri string) {
	if !a.JSON {
		fmt.Fprintln(a.Text, uri)
	}
}

// end writes what was not written yet, and makes the exit code of the worst verdict.
func (o *doctorOptions) end(ctx context.Context, a *cli.App, v doctorView) (err error) {
	v.Verdict = v.Worst()
	if a.JSON {
		err = a.PrintJSON(v)
	} else {
		o.showEnd(a, v.Report)
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case v.Verdict == doctor.Fail:
		return cli.ErrSaid
	}
	return nil
}

// showLine writes one line, and below it what to do.
func showLine(a *cli.App, line doctor.Line) {
	rule := line.Rule
	if line.Verdict == doctor.Pass && line.Found != "" {
		rule = strings.ToUpper(line.Found[:1]) + line.Found[1:] + "."
	}
	a.Text.Rows(false, func() {
		fmt.Fprintf(a.Text, "  %-4s  %-21s  %s\n", strings.ToUpper(string(line.Verdict)), line.Name, rule)
	})
	if line.Verdict == doctor.Pass {
		return
	}
	for i, more := range []string{line.Found, line.ToDo} {
		mark := [...]string{"!", "→"}[i]
		for n, part := range text.Wrap(text.CleanLines(more), 90) {
			if n > 0 {
				mark = " "
			}
			fmt.Fprintf(a.Text, "        %s %s\n", mark, part)
		}
	}
}

func (o *doctorOptions) showEnd(a *cli.App, r *doctor.Report) {
	fmt.Fprintf(a.Text, "%s passed, %s, %s failed\n", text.Number(r.Count(doctor.Pass)), text.Count(r.Count(doctor.Warn), "warning"), text.Number(r.Count(doctor.Fail)))
	why := ""
	if o.quick {
		why = " by --quick"
	}
	if len(r.LeftOut) > 0 {
		fmt.Fprintf(a.Text, "left out%s: %s\n", why, strings.Join(r.LeftOut, ", "))
	}
}

func doctorLine(phase string, done, of int64) string {
	if phase == "" || of == 0 {
		return phase
	}
	return fmt.Sprintf("%s: %d of %d", phase, done, of)
}

// noteFolders notes which folders a root of files has, and returns what removes the
// others that it makes for itself, if they are empty.
func noteFolders(store *blob.Store) (leave func()) {
	path, isFile := strings.CutPrefix(store.Root(), "file://")
	dir, err := url.PathUnescape(path)
	if !isFile || err != nil {
		return func() {}
	}
	var made []string
	for _, folder := range []string{filepath.Join(dir, ".mops-tmp"), dir} { // see package fileblob
		if _, err := os.Stat(folder); err != nil {
			made = append(made, folder)
		}
	}
	return func() {
		for _, folder := range made {
			_ = os.Remove(folder) // others may use the root by now
		}
	}
}
