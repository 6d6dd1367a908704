package gc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// removeCalls removes the chosen calls, and remains.
func (r *run) removeCalls(ctx context.Context) error {
	r.Progress.Begin("removing calls", r.report.Chosen.Count+r.report.Remains.Count)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.Parallel)
	prefix := r.Calls.prefix()
	if r.Remains {
		prefix = Selection{}.prefix()
	}
	for c, err := range calls(groupCtx, r.store, prefix) {
		switch {
		case err != nil:
			return errors.Join(group.Wait(), err)
		case c.path == "":
		case r.goes(c):
			group.Go(func() error { return r.removeOne(groupCtx, c) })
		case r.Remains && r.mayHaveLostFiles(c):
			group.Go(func() error { return r.removeLostFiles(groupCtx, c) })
		}
	}
	return group.Wait()
}

// goes reports whether to remove a call, as far as its own blobs say.
func (r *run) goes(c *call) bool {
	return r.Calls.matches(c, r.now) || r.Remains && r.unfinished(c)
}

// removeOne removes a call and notes its fate. It fails only when the context
// ends.
func (r *run) removeOne(ctx context.Context, c *call) error {
	fate, err := r.removeCall(ctx, c)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		fate = Failed
		r.problem(fmt.Errorf("%s is not removed, or not all of it: %w", r.store.URI(c.path), err))
	}
	r.Progress.Step()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Fates[fate]++
	return nil
}

// removeCall removes a call as the doc comment of the package says.
func (r *run) removeCall(ctx context.Context, c *call) (Fate, error) {
	for _, info := range c.strange {
		if is, err := r.isRecord(ctx, info); is || err != nil {
			return Unreadable, err
		}
	}
	key := c.place(r.store).Lease()
	state, version, err := lease.Read(ctx, r.store, key)
	if _, newer := errors.AsType[*record.FormatError](err); newer {
		return Unreadable, nil
	}
	if err != nil && !errors.Is(err, lease.ErrDamaged) {
		return Failed, err
	}
	if free, why, err := r.free(ctx, c, state); err != nil || !free {
		return why, err
	}
	if c.isRemoved() && (!r.graceIsOver(c) || c.files > 0 && r.marks == nil) {
		return Later, nil
	}
	held, lock, err := r.session.Take(ctx, key, version, lease.State{ID: runs.ID{Executor: "mops gc"}})
	switch {
	case blob.Is(err, blob.Exists), blob.Is(err, blob.Mismatch):
		return Living, nil // a program has just begun to compute it
	case err != nil:
		return Failed, err
	}
	fate, err := r.removeHeld(held, lock, c, version == "")
	if lost := context.Cause(held); err != nil && errors.Is(lost, lease.ErrLost) {
		err = lost
	}
	lock.Done()
	return fate, err
}

// removeHeld removes a call whose lease we hold; ownLease says that it had none
// before.
func (r *run) removeHeld(ctx context.Context, lock *lease.Held, listed *call, ownLease bool) (fate Fate, err error) {
	leaseGoes, outcome := ownLease, lease.Outcome{Kind: runs.Cancelled, Message: "mops gc looked at it"}
	defer func() {
		if leaseGoes && err == nil {
			err = r.removeLease(ctx, lock, listed)
			return
		}
		settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		released := lock.Release(settle, outcome)
		if err == nil && !errors.Is(released, lease.ErrLost) {
			err = released
		}
	}()
	c, blobs, err := r.again(ctx, listed)
	if err != nil {
		return Failed, err
	}
	c.lease = listed.lease // as it was before we took it
	if !r.goes(c) || c.result.Version != listed.result.Version {
		return Changed, nil
	}
	if !c.isRemoved() && r.Grace > 0 {
		named, _, err := r.sourcesOf(ctx, c, record.KindResult)
		if _, newer := errors.AsType[*record.FormatError](err); newer {
			return Unreadable, nil
		}
		if err != nil {
			return Failed, err
		}
		if c.files > 0 || len(named) > 0 {
			leaseGoes, outcome = false, removed(named)
			return Later, r.removeBlobs(ctx, c, blobs, runsStep, nil)
		}
	}
	if c.files > 0 && r.marks == nil { // nobody knows which of them others need
		leaseGoes = false
		return Later, r.removeBlobs(ctx, c, blobs, runsStep, nil)
	}
	fate = Removed
	err = r.removeBlobs(ctx, c, blobs, filesStep, func(key string) bool {
		named := r.marks.fileIsNamed(key)
		if named {
			fate = FilesNamed
		}
		return named
	})
	if err != nil {
		return Failed, err
	}
	leaseGoes = true
	return fate, nil
}

// again lists a call anew.
func (r *run) again(ctx context.Context, listed *call) (*call, []blob.Info, error) {
	c := &call{Call: listed.Call, path: listed.path}
	var blobs []blob.Info
	for info, err := range r.store.List(ctx, c.path+"/", "") {
		if err != nil {
			return nil, nil, err
		}
		c.add(info)
		blobs = append(blobs, info)
	}
	if c.written.IsZero() {
		c.written = listed.written
	}
	return c, blobs, nil
}

// The steps in which a call is removed.
const (
	errorStep = iota
	resultStep
	runsStep
	filesStep // with the invocation, after the grace
	steps
)

// removeBlobs removes the blobs of a call, step by step up to the last one,
// except its lease and files that stay.
func (r *run) removeBlobs(ctx context.Context, c *call, blobs []blob.Info, last int, stays func(key string) bool) error {
	var all [steps][]blob.Info
	for _, info := range blobs {
		name := info.Key[len(c.path)+1:]
		switch {
		case name == "error":
			all[errorStep] = append(all[errorStep], info)
		case name == "result":
			all[resultStep] = append(all[resultStep], info)
		case strings.HasPrefix(name, "runs/"):
			all[runsStep] = append(all[runsStep], info)
		case name == "invocation", strings.HasPrefix(name, "out/") && last == filesStep && !stays(info.Key):
			all[filesStep] = append(all[filesStep], info)
		}
	}
	for _, step := range all[:last+1] {
		if err := r.removeAll(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// removeAll removes blobs, a few at a time: a call may have thousands of files.
func (r *run) removeAll(ctx context.Context, blobs []blob.Info) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, info := range blobs {
		group.Go(func() error {
			err := r.store.Delete(ctx, info.Key)
			if err == nil {
				r.freed(info.Size)
			}
			return err
		})
	}
	return group.Wait()
}

// removeLease removes the lease of a call, the last of its blobs, after it has
// seen that it is still ours.
func (r *run) removeLease(ctx context.Context, lock *lease.Held, c *call) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	key := c.place(r.store).Lease()
	ours, err := lock.Version(ctx)
	if err != nil {
		return err
	}
	info, err := r.store.Stat(ctx, key)
	if err != nil {
		return err
	}
	if info.Version != ours {
		return fmt.Errorf("%w: somebody else has it", lease.ErrLost)
	}
	if err := r.store.Delete(ctx, key); err != nil {
		return err
	}
	r.freed(info.Size)
	return nil
}

// removeLostFiles removes the files of runs whose result came second, or never.
func (r *run) removeLostFiles(ctx context.Context, c *call) error {
	err := r.tryLostFiles(ctx, c)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		r.problem(fmt.Errorf("files of %s that nobody needs are not removed: %w", r.store.URI(c.path), err))
	}
	return nil
}

func (r *run) tryLostFiles(ctx context.Context, c *call) error {
	place := c.place(r.store)
	found, err := place.Result(ctx)
	if err != nil {
		return ignoreBad(err)
	}
	var header record.ResultHeader
	if err := found.Into(&header); err != nil || found.Info.Version != c.result.Version {
		return nil
	}
	needed := map[string]bool{}
	for _, s := range header.Sources {
		needed[c.path+"/"+s.Location] = true
	}
	own := c.path + "/out/" + header.RunID + "/"
	var lost []blob.Info
	for info, err := range r.store.List(ctx, c.path+"/out/", "") {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(info.Key, own) && !needed[info.Key] && r.old(info.ModTime, remainsAge) && !r.marks.fileIsNamed(info.Key) {
			lost = append(lost, info)
		}
	}
	return r.removeAll(ctx, lost)
}
