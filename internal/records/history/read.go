package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Limits of a look at the store. Calls have random keys, so the first of a list
// are a sample of all.
const (
	mostListed = 10_000          // blobs: ten pages of a cloud store
	mostOfCall = 200             // blobs of one call, before the rest of it is skipped
	listTime   = 3 * time.Second // for the list
	readTime   = 5 * time.Second // in all
	sideBySide = 16              // records are read at a time
)

// Read returns how the latest runs of a function went, oldest first: of each call
// in a folder, <pipeline>/<name>@<version>, the run that made its result, or, where
// there is none, the latest if that ran out of memory. Of a folder with very many
// blobs it sees a sample of the calls, and takes the latest of these. It lists some
// ten pages and reads the headers of at most Most records, within 5 s; what was
// read until then is the answer. Records that cannot be read do not count. The
// error is the store's that could not be listed.
func Read(ctx context.Context, store *blob.Store, folder string) ([]executor.Past, error) {
	within, cancel := context.WithTimeout(blob.Patient(ctx, blob.Patience{}), readTime)
	defer cancel()
	found, err := list(within, store, folder)
	if err != nil {
		return nil, fmt.Errorf("the earlier runs of %s cannot be listed: %w", folder, err)
	}
	past := make([]executor.Past, len(found))
	known := make([]bool, len(found))
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for i, run := range found {
		group.Go(func() error {
			past[i], known[i] = run.read(within, store)
			return nil
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	kept := past[:0]
	for i, ok := range known {
		if ok {
			kept = append(kept, past[i])
		}
	}
	return kept, nil
}

// trace is the record of a run, as a list of blobs shows it.
type trace struct {
	call   string // path of its folder
	key    string
	at     time.Time // by the clock of the store
	failed bool      // the call has no result
}

// list finds the latest runs.
func list(ctx context.Context, store *blob.Store, folder string) ([]trace, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	var all []trace
	last := trace{} // of the call whose blobs are being listed
	keep := func() {
		if last.key != "" {
			all = append(all, last)
		}
	}
	prefix := folder + "/"
	for from, listed := "", 0; ; {
		next, ofCall := "", 0
		for info, err := range store.List(ctx, prefix, from) {
			if err != nil && ctx.Err() != nil && listed > 0 {
				break // a part will do
			}
			if err != nil {
				return nil, err
			}
			if listed++; listed > mostListed {
				break
			}
			name, blobName, inCall := strings.Cut(info.Key[len(prefix):], "/")
			if !inCall {
				continue
			}
			if call := prefix + name; call != last.call {
				keep()
				last, ofCall = trace{call: call}, 0
			}
			last.see(info, blobName)
			if ofCall++; ofCall > mostOfCall { // of files that it returned, say: they come before its result
				next = skip(last.call, blobName)
				break
			}
		}
		if next == "" {
			break
		}
		from = next
	}
	keep()
	slices.SortStableFunc(all, func(a, b trace) int { return a.at.Compare(b.at) })
	return all[max(len(all)-Most, 0):], nil
}

// skip is where a list goes on behind the part of a call that a blob lies in.
func skip(call, blobName string) string {
	part, _, _ := strings.Cut(blobName, "/")
	return call + "/" + part + "0" // the next after '/'
}

// see notes a blob of the call. Its result comes before the records of its runs.
func (t *trace) see(info blob.Info, name string) {
	switch {
	case name == "result":
		t.key, t.at = info.Key, info.ModTime
	case t.key != "" && !t.failed:
	case strings.HasPrefix(name, "runs/") && strings.HasSuffix(name, ".json") && !info.ModTime.Before(t.at):
		t.key, t.at, t.failed = info.Key, info.ModTime, true
	}
}

// read is how the run went, if its record says so.
func (t trace) read(ctx context.Context, store *blob.Store) (executor.Past, bool) {
	if t.failed {
		header, _, err := record.FetchRun(ctx, store, t.key)
		if err != nil {
			return executor.Past{}, false
		}
		return Past(header.Run)
	}
	call, err := memokey.Parse(t.call)
	if err != nil {
		return executor.Past{}, false
	}
	header, ok, err := memo.Place{Store: store, Path: t.call, Key: call.Key}.Glance(ctx)
	if err != nil || !ok || header.Injected {
		return executor.Past{}, false
	}
	return Past(header.Run)
}

// Past is a run for executors; ok is false unless it succeeded, or ran out of
// memory. What no run can have taken is unknown.
func Past(run record.Run) (past executor.Past, ok bool) {
	took := run.Figures()
	past = executor.Past{
		Ended: run.Ended, Executor: run.Executor,
		Place: took.Place, Wall: took.Wall, CPU: took.CPU, PeakMemory: took.PeakMemory, Reason: run.Reason,
	}
	if run.OS != "" && run.Arch != "" {
		past.Platform = run.OS + "/" + run.Arch
	}
	if past.PeakMemory == 0 && past.Reason == executor.OOMKilled {
		past.PeakMemory = took.Place.Limits.Memory
	}
	switch run.Outcome {
	case runs.OK:
		return past, past.Reason == ""
	case runs.ExecError:
		return past, past.Reason == executor.OOMKilled
	}
	return past, false
}
