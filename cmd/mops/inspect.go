package main

import (
	"context"
	"flag"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

var inspectCommand = command{
	name:    "inspect",
	usage:   []string{"inspect [--json] [--full] URI"},
	purpose: "show a call or any single record, without the program that wrote it",
	teach: `
Given a call, it shows how far that is, its input and output field by field, the
error of its last failed run, who holds its lease, all runs, and the last lines
that were printed. Given one record (URI/result, URI/invocation, URI/error,
URI/lease, URI/runs/…), a session or a blob that calls share, it shows that one
whole, with its header.

Long strings and lists are shortened, with their length; --full shows all of them.
A record that is damaged is shown as far as it can be read, and the exit code is 1.

In JSON, what JSON has no word for is an object with a key that begins with "$":
{"$bytes": base64}, {"$time": RFC 3339}, {"$float": "NaN"}, {"$type": name,
"$value": …} for a value in an interface, {"$source": {"kind", "sha256", "size"}}
for a file or folder, {"$map": [[key, value], …]} for a map whose keys are not
strings. JSON is never shortened.`,
	example: `
mops inspect file:///data/mops/mops1/default/forecast/train@2/amber-kite-river.9f86…
mops inspect amber-kite-river                 in the default root
mops inspect --full amber-kite-river.9f86…/result
mops inspect --json URI | jq .result.value`,
	define: func(flags *flag.FlagSet) action {
		o := inspectOptions{json: jsonFlag(flags)}
		flags.BoolVar(&o.full, "full", false, "shorten nothing")
		return o.run
	},
}

type inspectOptions struct {
	json *bool
	full bool
}

func (o *inspectOptions) run(ctx context.Context, a *app, args, program []string) error {
	text, err := one(args, program, "the address of a call or a record")
	if err != nil {
		return err
	}
	x, err := a.resolve(ctx, text)
	if err != nil {
		return err
	}
	switch x.what {
	case aCall:
		return o.inspectCall(ctx, a, x)
	case aRoot, aGroup, aFunction:
		return usagef("%s is no record and no call: mops ls %s shows what is there", x.uri(), text)
	}
	return o.inspectRecord(ctx, a, x)
}

func (o *inspectOptions) inspectCall(ctx context.Context, a *app, x address) error {
	v, err := a.readCall(ctx, x)
	if err != nil {
		return err
	}
	if *o.json {
		err = a.printJSON(v)
	} else {
		err = o.showCall(ctx, a, v)
	}
	if err == nil && v.spoilt() {
		err = errSaid
	}
	return err
}

func (o *inspectOptions) inspectRecord(ctx context.Context, a *app, x address) error {
	v, err := o.readOne(ctx, a, x)
	if blob.Is(err, blob.NotFound) {
		return notFound(ctx, x.store, x.path, nil)
	}
	if err != nil {
		return err
	}
	if *o.json {
		err = a.printJSON(v)
	} else {
		o.showRecord(ctx, a, x, &v)
	}
	if err == nil && v.Condition != sound {
		err = errSaid
	}
	return err
}

// readOne reads what lies at an address, whatever it is.
func (o *inspectOptions) readOne(ctx context.Context, a *app, x address) (recordView, error) {
	if x.what == aSession {
		return readSession(ctx, x)
	}
	if kind, ok := recordKinds[x.call.Rest]; ok && x.what == aRecord {
		memoKey := x.call.Key.String()
		if kind == record.KindLease {
			memoKey = "" // it names its own key
		}
		v, err := readRecord(ctx, x.store, x.path, kind, memoKey)
		if err == nil && kind == record.KindLease && v.Condition == sound {
			err = a.fillLease(ctx, x, &v)
		}
		return v, err
	}
	if x.what == aRecord && strings.HasPrefix(x.call.Rest, "runs/") && strings.HasSuffix(x.path, ".json") {
		return readRun(ctx, x)
	}
	return readContent(ctx, x)
}

func (a *app) fillLease(ctx context.Context, x address, v *recordView) error {
	lease, wrong, err := a.readLease(ctx, x.store, x.path, &sights{store: x.store})
	switch {
	case isFormat(err):
		v.judge(err)
	case err != nil:
		return err
	case wrong != nil:
		v.judge(wrong)
	default:
		v.Lease = lease
	}
	return nil
}
