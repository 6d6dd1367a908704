package gc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// How much time must pass before something goes that nobody asked to remove.
const (
	// DefaultTTL is the age at which content is removed if programs are told of
	// no TTL of their storage.
	DefaultTTL = source.DefaultStorageTTL

	// LeastTTL is the shortest allowed TTL for removing content: once a program
	// has found a file of a folder whole, it does not look again for minutes.
	LeastTTL = time.Hour

	// DefaultGrace is how long the files of a call stay after its result went.
	DefaultGrace = 24 * time.Hour

	remainsAge = 7 * 24 * time.Hour // what crashed programs left of calls
	sessionAge = 7 * 24 * time.Hour // without renewal; the longest TTL of a session is an hour
	checksAge  = 24 * time.Hour     // what a killed check of the store left
	scratchAge = 7 * 24 * time.Hour // what a driver left
	packAge    = 7 * 24 * time.Hour // a list of calls, which may wait for room on a cluster

	defaultParallel = 32
	mostProblems    = 20
)

// Options say what to look for and what to do with it.
type Options struct {
	Calls   Selection // the calls to remove
	Content bool      // content that no record names
	Remains bool      // what crashed programs left: sessions, unfinished calls, files of runs that came second
	Runs    bool      // runs of programs that wrote nothing for longer than RunsAge, and are not live
	RunsAge time.Duration
	Grace   time.Duration // how long files stay after their result went or was replaced; 0: they go with it
	TTL     time.Duration // of the storage, as programs are told; content must be at least that old to go; DefaultTTL if 0

	Delete   bool // if false, nothing is written
	Parallel int  // operations side by side; 32 if 0
	Progress *Progress
	Log      *slog.Logger // may be nil
}

// run is one run of gc.
type run struct {
	Options
	store   *blob.Store // tries again after failures
	bare    *blob.Store // does not
	now     time.Time   // when it began, by the store's clock
	session *lease.Session
	judge   *lease.Judge
	known   sessions
	marks   *marks // what records name; nil if they were not read

	surveyed bool // all calls were listed, not only those below the selection's prefix

	// filesAreDue says that this run may remove files of calls, so that it
	// matters which of them records of other calls name.
	filesAreDue bool

	mu     sync.Mutex
	report *Report
}

// Run looks at a store and, with Delete, removes what was chosen. The store
// must not try again by itself after failures: Run does. Failures with single
// blobs are in the report. The error says what ended the run; the report then
// says what was done until then.
func Run(ctx context.Context, bare *blob.Store, o Options) (*Report, error) {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.TTL < LeastTTL || o.Grace < 0 || o.Calls.Older < 0 || o.RunsAge < 0 {
		return nil, fmt.Errorf("gc: the TTL %v is less than %v, or an age is negative", o.TTL, LeastTTL)
	}
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	policy := blob.RetryPolicy{}
	if bare.IsLocal() {
		policy.Tries = 3 // as for programs: a file system rarely says no now and yes later
	}
	store := blob.Retry(bare, policy)
	r := &run{
		Options: o, store: store, bare: bare, judge: lease.NewJudge(store, lease.JudgeConfig{Log: o.Log}),
		session: lease.NewSession(store, lease.Config{Log: o.Log}),
		report:  &Report{Functions: []Function{}, Fates: map[Fate]int64{}, Problems: []string{}},
	}
	err := r.all(ctx)
	return r.report, errors.Join(err, r.close(ctx))
}

func (r *run) all(ctx context.Context) (err error) {
	if r.now, err = r.clock(ctx); err != nil {
		return err
	}
	r.report.Now = r.now
	if err := r.survey(ctx); err != nil {
		return err
	}
	if err := r.removeRuns(ctx); err != nil {
		return err
	}
	if r.Content || r.Delete && r.filesAreDue {
		err := r.mark(ctx)
		if _, refused := errors.AsType[*refusal](err); err != nil && !refused {
			return err
		}
		if err != nil {
			r.problem(err)
		}
	}
	if r.Delete && (!r.Calls.Empty() || r.Remains) {
		if err := r.removeCalls(ctx); err != nil {
			return err
		}
	}
	if r.Delete && r.Content && r.marks != nil {
		if err := r.removeContent(ctx); err != nil {
			return err
		}
	}
	if r.Remains {
		return r.removeDead(ctx)
	}
	return nil
}

// close ends the session, and removes its blob.
func (r *run) close(ctx context.Context) error {
	id := r.session.ID()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := r.session.Close(ctx); err != nil || id == "" {
		return err
	}
	return r.store.Delete(ctx, lease.SessionPrefix+id)
}

// clock is the time by which the store dates its blobs. If the store does not
// tell its time, gc writes a blob and takes its date; if gc must not write, it
// uses this machine's clock.
func (r *run) clock(ctx context.Context) (time.Time, error) {
	now, ok, err := r.store.Now(ctx)
	switch {
	case ok && err == nil:
		return now, nil
	case !r.Delete:
		return time.Now(), ctx.Err()
	case err != nil:
		return now, fmt.Errorf("the store's clock: %w", err)
	}
	key := checksPrefix + lease.NewID()
	info, err := r.store.PutBytes(ctx, key, nil, blob.PutOptions{})
	if err != nil {
		return now, fmt.Errorf("the store's clock: %w", err)
	}
	return info.ModTime, r.store.Delete(ctx, key)
}

// problem notes a failure; the run goes on.
func (r *run) problem(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Failures++
	if len(r.report.Problems) < mostProblems {
		r.report.Problems = append(r.report.Problems, err.Error())
	}
}

// freed counts a removed blob.
func (r *run) freed(bytes int64) {
	r.Progress.freed.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Freed.add(1, bytes)
}

// old reports whether a date lies further back than an age, by the store's clock.
func (r *run) old(date time.Time, age time.Duration) bool { return r.now.Sub(date) > age }

// Selection chooses calls: those that match everything that is set. The zero
// value chooses none.
type Selection struct {
	Every    bool          // all calls, even if all else is empty
	Older    time.Duration // all its records but the lease were written longer ago
	Pipeline string
	Function string // its name
	Version  string // of the function
}

// Empty reports whether nothing is chosen.
func (s Selection) Empty() bool { return s == Selection{} }

// SetFunction sets function and version from "name" or "name@version".
func (s *Selection) SetFunction(text string) error {
	name, version, both := strings.Cut(text, "@")
	if err := memokey.ValidName(name); err != nil {
		return err
	}
	if both {
		if err := memokey.ValidVersion(version); err != nil {
			return err
		}
	}
	s.Function, s.Version = name, version
	return nil
}

// matches reports whether a call is chosen; now is the store's time.
func (s Selection) matches(c *call, now time.Time) bool {
	return !s.Empty() &&
		(s.Pipeline == "" || s.Pipeline == c.Pipeline) &&
		(s.Function == "" || s.Function == c.Name) &&
		(s.Version == "" || s.Version == c.Version) &&
		(s.Older == 0 || now.Sub(c.written) > s.Older)
}

// prefix is the prefix of all chosen calls.
func (s Selection) prefix() string {
	switch {
	case s.Pipeline == "":
		return memokey.Format + "/"
	case s.Function == "":
		return fmt.Sprintf("%s/%s/", memokey.Format, s.Pipeline)
	case s.Version == "":
		return fmt.Sprintf("%s/%s/%s@", memokey.Format, s.Pipeline, s.Function)
	}
	return fmt.Sprintf("%s/%s/%s@%s/", memokey.Format, s.Pipeline, s.Function, s.Version)
}
