package look

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Lease is mops lease.
var Lease = cli.Command{
	Name:    "lease",
	Usage:   []string{"lease [--json] URI", "lease --break [--force] URI"},
	Purpose: "show who may compute a call, or take that right away",
	Teach: `
A lease gives one call to one process, as long as that lives. Nobody needs to break
one after a crash: on the same machine a dead holder is noticed at once, elsewhere
when its session has not been renewed for its time to live, and the next call takes
over. Break a lease when a worker hangs.

--break releases it by compare-and-swap, with the outcome "broken": whoever waits
takes over, and a worker that still runs notices, is cancelled, and cannot replace
the result that somebody else puts. It refuses when the holder lives, or may live,
as far as can be seen from here; --force says that you know better.`,
	Example: `
mops lease amber-kite-river
mops lease --break amber-kite-river`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := leaseOptions{}
		flags.BoolVar(&o.breakIt, "break", false, "release the lease")
		flags.BoolVar(&o.force, "force", false, "with --break: also if the holder lives")
		return o.run
	},
	Complete: roots.CompleteAddress,
}

type leaseOptions struct {
	breakIt bool
	force   bool
}

func (o *leaseOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	text, err := line.One("the address of a call")
	if err != nil {
		return err
	}
	if o.force && !o.breakIt {
		return cli.Usagef("--force goes with --break")
	}
	x, err := roots.ResolveCall(ctx, a, text)
	if err != nil {
		return err
	}
	v, wrong, err := view.ReadLease(ctx, x.Store, x.Place().Lease(), view.Sights{}, a.Now())
	_, noResult := x.Place().Result(ctx)
	switch {
	case err != nil:
		return err
	case wrong != nil && v.Version == "": // it is not ours to replace
		return wrong
	case v == nil:
		return cli.NotFoundf("%s has no lease: nobody ever began to compute it, or its result was put there by hand", x.URI())
	case o.breakIt && noResult == nil && !o.force:
		return o.say(a, v, "there is a result: nobody waits for this lease, and it is left as it is")
	case o.breakIt:
		return o.release(ctx, a, x, v, wrong)
	case wrong != nil:
		return fmt.Errorf("%w; programs take it for free, and --break replaces it now", wrong)
	case a.JSON:
		return a.PrintJSON(v)
	}
	fmt.Fprintln(a.Text, v.URI)
	v.Facts(a.Now(), noResult == nil).Write(a.Text, "  ")
	return nil
}

// release breaks a lease. Wrong is why it cannot be read, if it cannot.
func (o *leaseOptions) release(ctx context.Context, a *cli.App, x roots.Address, v *view.Lease, wrong error) error {
	switch {
	case wrong != nil:
	case v.Status == lease.StatusReleased:
		return o.say(a, v, "it was released already, nothing is to be done: "+view.OutcomeText(*cmp.Or(v.Outcome, new(lease.Outcome))))
	case v.Held() && !o.force:
		return fmt.Errorf("the lease is not broken, since its holder may live: %s, %s; stop that process, or use --force",
			v.Holder.Who(), v.Holder.Alive())
	}
	state := v.State
	if wrong != nil {
		state.LeaseID = lease.NewID()
	}
	state.Status = lease.StatusReleased
	state.Outcome = &lease.Outcome{Kind: runs.Broken, RunID: state.RunID, Message: "by " + me()}
	_, err := lease.Put(ctx, x.Store, x.Place().Lease(), v.Version, state)
	switch {
	case blob.Is(err, blob.Mismatch):
		return fmt.Errorf("the lease of %s changed at this very moment and is not broken; look at it again", x.URI())
	case err != nil:
		return err
	}
	v.Status, v.Outcome = state.Status, state.Outcome
	switch {
	case wrong != nil:
		return o.say(a, v, "broken: what was there could not be read")
	case v.Held(), v.Holder != nil && v.Holder.Life != lease.Gone:
		return o.say(a, v, fmt.Sprintf("broken: run %s of %s is cancelled as soon as it notices, within seconds; the next call computes anew", v.RunID, v.Holder.Who()))
	}
	return o.say(a, v, fmt.Sprintf("broken: run %s of %s had ended without a word; the next call computes anew", v.RunID, v.Holder.Who()))
}

// say reports what was done.
func (o *leaseOptions) say(a *cli.App, v *view.Lease, text string) error {
	return a.Print(v, "%s\n  %s\n", v.URI, text)
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
