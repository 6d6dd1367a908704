package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/user"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/runs"
)

var leaseCommand = command{
	name:    "lease",
	usage:   []string{"lease [--json] URI", "lease --break [--force] URI"},
	purpose: "show who may compute a call, or take that right away",
	teach: `
A lease gives one call to one process, as long as that lives. Nobody needs to break
one after a crash: on the same machine a dead holder is noticed at once, elsewhere
when its session has not been renewed for its time to live, and the next call takes
over. Break a lease when a worker hangs.

--break releases it by compare-and-swap, with the outcome "broken": whoever waits
takes over, and a worker that still runs notices, is cancelled, and cannot replace
the result that somebody else puts. It refuses when the holder lives, or may live,
as far as can be seen from here; --force says that you know better.`,
	example: `
mops lease amber-kite-river
mops lease --break amber-kite-river`,
	define: func(flags *flag.FlagSet) action {
		o := leaseOptions{json: jsonFlag(flags)}
		flags.BoolVar(&o.breakIt, "break", false, "release the lease")
		flags.BoolVar(&o.force, "force", false, "with --break: also if the holder lives")
		return o.run
	},
}

type leaseOptions struct {
	json    *bool
	breakIt bool
	force   bool
}

func (o *leaseOptions) run(ctx context.Context, a *app, args, program []string) error {
	text, err := one(args, program, "the address of a call")
	if err != nil {
		return err
	}
	if o.force && !o.breakIt {
		return usagef("--force goes with --break")
	}
	x, err := a.mustCall(ctx, text)
	if err != nil {
		return err
	}
	v, wrong, err := a.readLease(ctx, x.store, x.place().Lease(), &sights{store: x.store})
	_, noResult := x.place().Result(ctx)
	switch {
	case err != nil:
		return err
	case v == nil:
		return notFoundf("%s has no lease: nobody ever began to compute it, or its result was put there by hand", x.uri())
	case o.breakIt && noResult == nil && !o.force:
		return o.say(a, v, "there is a result: nobody waits for this lease, and it is left as it is")
	case o.breakIt:
		return o.release(ctx, a, x, v, wrong)
	case wrong != nil:
		return fmt.Errorf("%w; programs take it for free, and --break replaces it now", wrong)
	case *o.json:
		return a.printJSON(v)
	}
	fmt.Fprintln(a.text, v.URI)
	a.leaseFacts(v, noResult == nil).write(a.text, "  ")
	return nil
}

// release breaks a lease. Wrong is why it cannot be read, if it cannot.
func (o *leaseOptions) release(ctx context.Context, a *app, x address, v *leaseView, wrong error) error {
	switch {
	case wrong != nil:
	case v.Status == lease.StatusReleased:
		return o.say(a, v, "it was released already, nothing is to be done: "+outcomeText(*orEmpty(v.Outcome)))
	case v.held() && !o.force:
		return fmt.Errorf("the lease is not broken, since its holder may live: %s, %s; stop that process, or use --force",
			v.Holder.who(), v.Holder.alive())
	}
	state := v.state
	if wrong != nil {
		state.LeaseID = lease.NewID()
	}
	state.Status = lease.StatusReleased
	state.Outcome = &lease.Outcome{Kind: runs.Broken, RunID: state.RunID, Message: "by " + me()}
	_, err := lease.Put(ctx, x.store, x.place().Lease(), v.version, state)
	switch {
	case blob.Is(err, blob.Mismatch):
		return fmt.Errorf("the lease of %s changed at this very moment and is not broken; look at it again", x.uri())
	case err != nil:
		return err
	}
	v.Status, v.Outcome = state.Status, state.Outcome
	switch {
	case wrong != nil:
		return o.say(a, v, "broken: what was there could not be read")
	case v.held(), v.Holder != nil && v.Holder.Life != lease.Gone:
		return o.say(a, v, fmt.Sprintf("broken: run %s of %s is cancelled as soon as it notices, within seconds; the next call computes anew", v.RunID, v.Holder.who()))
	}
	return o.say(a, v, fmt.Sprintf("broken: run %s of %s had ended without a word; the next call computes anew", v.RunID, v.Holder.who()))
}

// say reports what was done.
func (o *leaseOptions) say(a *app, v *leaseView, text string) error {
	if *o.json {
		return a.printJSON(v)
	}
	_, err := fmt.Fprintf(a.text, "%s\n  %s\n", v.URI, text)
	return err
}

func orEmpty(outcome *lease.Outcome) *lease.Outcome {
	if outcome == nil {
		return new(lease.Outcome)
	}
	return outcome
}

// me is who runs the tool.
func me() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += " on " + host
	}
	return name
}
