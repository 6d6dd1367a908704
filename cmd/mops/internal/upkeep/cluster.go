package upkeep

import (
	"context"
	"log/slog"
	"strings"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/kube"
	"github.com/TrilliantHealth/mops-go/image"
	"github.com/TrilliantHealth/mops-go/internal/cluster/k8sdoctor"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// examineCluster is doctor --k8s.
func (o *doctorOptions) examineCluster(ctx context.Context, a *cli.App, on cli.Line) error {
	root := ""
	switch {
	case len(on.Args) > 1 || len(on.Program) > 0:
		return cli.Usagef("one root at the most can be examined in a pod")
	case len(on.Args) == 1 && o.repository == "":
		return cli.Usagef("to examine %s in a pod, say with --repository where this tool may be pushed as an image; without --k8s it is examined from here", on.Args[0])
	case len(on.Args) == 0 && o.repository != "":
		return cli.Usagef("--repository goes with the root that is to be examined in a pod")
	case len(on.Args) == 1:
		if root = on.Args[0]; !strings.Contains(root, "://") {
			return cli.Usagef("%q is no root that a pod could find: write a URI, such as s3://bucket/mops", root)
		}
	}
	jobs, err := o.jobs.Options()
	if err != nil {
		return err
	}
	said, err := kube.Settings(a)
	if err != nil {
		return err
	}
	c, err := kube.Connect(a, o.jobs.ClusterFlags)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(a.Stderr, nil))
	jobs = append(jobs, k8s.Logger(logger))
	far, status, line := begin(a)
	options := k8sdoctor.Options{
		Connection: c.Connection, Client: c.Client, By: said, Jobs: jobs, Image: o.image, Root: root,
		Doing: func(what string) { far.Begin(what, 0) }, Line: line,
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
	status.Stop()
	return o.end(ctx, a, v)
}
