package look

import (
	"context"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
)

// Inspect is mops inspect.
var Inspect = cli.Command{
	Name:    "inspect",
	Usage:   []string{"inspect [--json] [--full] URI"},
	Purpose: "show a call or any single record, without the program that wrote it",
	Teach: `
Given a call, it shows how far that is, its input and output field by field, the
error of its last failed run, who holds its lease, all runs, and the last lines
that were printed. Given one record (URI/result, URI/invocation, URI/error,
URI/lease, URI/runs/…), a session or a blob that calls share, it shows that one
whole, with its header.

It says by which code the result, or the error, was computed: the fingerprint of the
function, where that is defined, and the program. mops why compares that with the
code here.

Long strings and lists are shortened, with their length; --full shows all of them,
and each declaration that the fingerprint stands for, with its place.
A record that is damaged is shown as far as it can be read, and the exit code is 1.

In JSON, what JSON has no word for is an object with a key that begins with "$":
{"$bytes": base64}, {"$time": RFC 3339}, {"$float": "NaN"}, {"$type": name,
"$value": …} for a value in an interface, {"$source": {"kind", "sha256", "size"}}
for a file or folder, {"$map": [[key, value], …]} for a map whose keys are not
strings. JSON is never shortened.`,
	Example: `
mops inspect file:///data/mops/mops1/default/forecast/train@2/amber-kite-river.9f86…
mops inspect amber-kite-river                 in the default root
mops inspect --full amber-kite-river.9f86…/result
mops inspect --json URI | jq .result.value`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := inspectOptions{}
		flags.BoolVar(&o.full, "full", false, "shorten nothing")
		return o.run
	},
	Complete: roots.CompleteAddress,
}

type inspectOptions struct {
	full bool
}

func (o *inspectOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	text, err := line.One("the address of a call or a record")
	if err != nil {
		return err
	}
	x, err := roots.Resolve(ctx, a, text)
	if err != nil {
		return err
	}
	switch x.Kind {
	case roots.KindCall:
		return o.inspectCall(ctx, a, x)
	case roots.KindRoot, roots.KindGroup, roots.KindFunction:
		return cli.Usagef("%s is no record and no call: mops ls %s shows what is there", x.URI(), text)
	}
	return o.inspectRecord(ctx, a, x)
}

func (o *inspectOptions) inspectCall(ctx context.Context, a *cli.App, x roots.Address) error {
	v, err := view.ReadCall(ctx, x, a.Now())
	if err != nil {
		return err
	}
	if a.JSON {
		v.Result.Describe(ctx, x.Store)
		v.Error.Describe(ctx, x.Store)
		err = a.PrintJSON(v)
	} else {
		err = o.showCall(ctx, a, v)
	}
	if err == nil && v.Spoilt() {
		err = cli.ErrSaid
	}
	return err
}

func (o *inspectOptions) inspectRecord(ctx context.Context, a *cli.App, x roots.Address) error {
	v, err := view.Read(ctx, x, a.Now())
	if blob.Is(err, blob.NotFound) {
		return roots.NotFound(ctx, x.Store, x.Path, nil)
	}
	if err != nil {
		return err
	}
	if a.JSON || o.full {
		v.Describe(ctx, x.Store)
	}
	if a.JSON {
		err = a.PrintJSON(v)
	} else {
		o.showRecord(ctx, a, x, &v)
	}
	if err == nil && v.Condition != view.Sound {
		err = cli.ErrSaid
	}
	return err
}
