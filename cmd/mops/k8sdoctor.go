package main

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/image"
	"github.com/TrilliantHealth/mops-go/internal/doctor"
	"github.com/TrilliantHealth/mops-go/internal/k8sdoctor"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// examineCluster is doctor --k8s.
func (o *doctorOptions) examineCluster(ctx context.Context, a *app, args, program []string) error {
	root := ""
	switch {
	case len(args) > 1 || len(program) > 0:
		return usagef("one root at the most can be examined in a pod")
	case len(args) == 1 && o.repository == "":
		return usagef("to examine %s in a pod, say with --repository where this tool may be pushed as an image; without --k8s it is examined from here", args[0])
	case len(args) == 0 && o.repository != "":
		return usagef("--repository goes with the root that is to be examined in a pod")
	case len(args) == 1:
		if root = args[0]; !strings.Contains(root, "://") {
			return usagef("%q is no root that a pod could find: write a URI, such as s3://bucket/mops", root)
		}
	}
	jobs, err := o.jobs.options()
	if err != nil {
		return err
	}
	c, err := a.connect(o.jobs.clusterFlags)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(a.stderr, nil))
	jobs = append(jobs, k8s.Logger(logger))
	var doing atomic.Pointer[string]
	doing.Store(new(""))
	status := a.status(func() string { return *doing.Load() })
	options := k8sdoctor.Options{
		Connection: c.Connection, Client: c.client, Jobs: jobs, Image: o.image, Root: root,
		Doing: func(what string) { doing.Store(&what) },
		Line: func(line doctor.Line) {
			if !*o.json {
				status.aside(func() { showLine(a, line); a.text.Flush() })
			}
		},
	}
	if o.repository != "" {
		how := []image.Option{image.Logger(logger)}
		if o.insecure {
			how = append(how, image.Insecure())
		}
		options.Self = image.FromSelf(o.repository, how...)
	}
	v := doctorView{URI: "namespace " + c.Namespace + " of " + c.Cluster}
	o.showBegin(a, v.URI)
	v.Report = k8sdoctor.Examine(ctx, options)
	status.stop()
	return o.end(ctx, a, v)
}
