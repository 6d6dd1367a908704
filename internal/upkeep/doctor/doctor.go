// Package doctor examines whether a blob store is fit to be a root: whether it can
// be reached, read and written, keeps its conditions, and how far away it is. It
// runs the conformance checks of package blobtest on the user's own store, and
// removes what they wrote. The tool's command doctor shows it to people; package
// blob is below.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/progress"
)

// Prefix is where everything lies that an examination writes; gc removes what one
// that was killed left there.
const Prefix = "mops1-doctor/"

// Verdict is what an examination says of one thing.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass"
	Warn Verdict = "warn" // the store can be used, but
	Fail Verdict = "fail"
	Skip Verdict = "skip" // not examined
)

// Line is one thing that was examined.
type Line struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Rule    string  `json:"rule"`            // what should be
	Found   string  `json:"found,omitempty"` // what is
	ToDo    string  `json:"to_do,omitempty"` // about it
	Seconds float64 `json:"seconds"`
}

// Report is all that was found.
type Report struct {
	Lines       []Line             `json:"lines"`
	Latency     map[string]Latency `json:"latency"`      // by operation
	SkewSeconds *float64           `json:"skew_seconds"` // by which the store's clock is ahead of this machine's; null where it tells no time
	LeftOut     []string           `json:"left_out"`     // checks that were not to run
	LeftBehind  []string           `json:"left_behind"`  // URIs of blobs that could not be removed
}

// NewReport is one without lines.
func NewReport() *Report {
	return &Report{Lines: []Line{}, Latency: map[string]Latency{}, LeftOut: []string{}, LeftBehind: []string{}}
}

// Worst is the verdict on the whole.
func (r *Report) Worst() Verdict {
	switch {
	case r.Count(Fail) > 0:
		return Fail
	case r.Count(Warn) > 0:
		return Warn
	}
	return Pass
}

// Count is how many lines have a verdict.
func (r *Report) Count(v Verdict) (n int) {
	for _, line := range r.Lines {
		if line.Verdict == v {
			n++
		}
	}
	return n
}

// Options are how a store is examined.
type Options struct {
	Quick bool             // leave out the checks that take long where an operation does
	Now   func() time.Time // this machine's clock; time.Now where nil
	Line  func(Line)       // is given each line when it is known, in their order; may be nil

	Progress *progress.Phases // may be nil
}

// contactTime is how long the first operations may take each.
const contactTime = 20 * time.Second

// exam is one examination.
type exam struct {
	Options
	store  *blob.Store // tries again what failed, as programs do
	once   *blob.Store // does not
	notes  *notes      // what was written
	prefix string      // ends with a slash
	report *Report
}

// Examine examines a store, which must not try again by itself what failed, and
// removes what it wrote, also when ctx ends.
func Examine(ctx context.Context, bare *blob.Store, o Options) *Report {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = new(progress.Phases)
	}
	e := newExam(bare, o)
	if e.contact(ctx) {
		e.clock(ctx)
		e.latency(ctx)
		e.conformance(ctx)
	}
	e.clean(ctx)
	return e.report
}

// Unopened is the report on a root that could not even be opened.
func Unopened(err error, o Options) *Report {
	root := ""
	if e, ok := errors.AsType[*blob.Error](err); ok {
		root = e.URI
	}
	e := newExam(blob.New(root, nil), o)
	e.say(Line{Name: "open", Verdict: Fail, Rule: "The root can be opened.", Found: err.Error(), ToDo: e.toDo("open", err)})
	return e.report
}

// say adds a line.
func (e *exam) say(line Line) {
	line.Found, line.ToDo = scrub(line.Found), scrub(line.ToDo)
	e.report.Lines = append(e.report.Lines, line)
	if e.Line != nil {
		e.Line(line)
	}
}

// contact tries the operations that all else needs, one by one. It is false where
// there is no sense in going on.
func (e *exam) contact(ctx context.Context) bool {
	key := e.prefix + "contact"
	steps := []struct {
		name, rule string
		do         func(ctx context.Context) error
		vital      bool
	}{
		{"reach", "The store answers, and lets us ask for a blob.", func(ctx context.Context) error {
			_, err := e.once.Stat(ctx, key)
			if err == nil {
				return errors.New("there is a blob under a name that nobody ever used: what answers is no blob store")
			}
			return ignoreNotFound(err)
		}, true},
		{"list", "Blobs can be listed.", func(ctx context.Context) error {
			for _, err := range e.once.List(ctx, e.prefix, "") {
				return err
			}
			return ctx.Err()
		}, false},
		{"write", "A blob can be written.", func(ctx context.Context) error {
			_, err := e.once.PutBytes(ctx, key, []byte("written by mops doctor\n"), blob.PutOptions{})
			return err
		}, true},
		{"read", "What was written can be read.", func(ctx context.Context) error {
			data, _, err := e.once.ReadAll(ctx, key, nil)
			if err == nil && string(data) != "written by mops doctor\n" {
				err = fmt.Errorf("what came back is %.60q", data)
			}
			return err
		}, true},
		{"delete", "A blob can be deleted.", func(ctx context.Context) error {
			if err := e.once.Delete(ctx, key); err != nil {
				return err
			}
			_, err := e.once.Stat(ctx, key)
			if err == nil {
				return errors.New("it was deleted, and is still there")
			}
			return ignoreNotFound(err)
		}, true},
		{"conditions", "Conditional writes are refused where they must be, and only there.", func(ctx context.Context) error {
			return conditions(ctx, e.once, e.prefix+"conditions")
		}, true},
	}
	for _, step := range steps {
		if ctx.Err() != nil {
			return false
		}
		e.Progress.Begin(step.name, 0)
		began := time.Now()
		err := within(ctx, contactTime, step.do)
		line := Line{Name: step.name, Verdict: Pass, Rule: step.rule, Seconds: time.Since(began).Seconds()}
		if err != nil {
			line.Verdict, line.Found, line.ToDo = Fail, err.Error(), e.toDo(step.name, err)
		}
		if err != nil && ctx.Err() != nil {
			return false
		}
		if e.say(line); err != nil && step.vital {
			return false
		}
	}
	return true
}

// conditions tries each condition of a put once. The checks that follow look closer.
func conditions(ctx context.Context, store *blob.Store, key string) error {
	if err := store.Delete(ctx, key); err != nil { // of an earlier try
		return err
	}
	first, err := store.PutBytes(ctx, key, []byte("first"), blob.PutOptions{IfAbsent: true})
	if err != nil {
		return err
	}
	if _, err := store.PutBytes(ctx, key, []byte("second"), blob.PutOptions{IfAbsent: true}); !blob.Is(err, blob.Exists) {
		return cmp.Or(err, errors.New("a put that was to write only where there is no blob replaced one"))
	}
	if _, err := store.PutBytes(ctx, key, []byte("third"), blob.PutOptions{IfVersion: first.Version}); err != nil {
		return err
	}
	if _, err := store.PutBytes(ctx, key, []byte("fourth"), blob.PutOptions{IfVersion: first.Version}); !blob.Is(err, blob.Mismatch) {
		return cmp.Or(err, errors.New("a put that was to write only over one version wrote over another"))
	}
	return nil
}

func ignoreNotFound(err error) error {
	if blob.Is(err, blob.NotFound) {
		return nil
	}
	return err
}

// within does something that must not take longer; what is merely not possible for
// now is tried a second time.
func within(ctx context.Context, most time.Duration, do func(ctx context.Context) error) error {
	var err error
	for range 2 {
		limited, cancel := context.WithTimeout(ctx, most)
		err = do(limited)
		if late := limited.Err() != nil && ctx.Err() == nil; late && err != nil {
			err = fmt.Errorf("there was no answer within %v: %w", most, err)
			cancel()
			return err
		}
		cancel()
		if kind := blob.KindOf(err); kind != blob.Unavailable && kind != blob.Throttled {
			return err
		}
	}
	return err
}

// scheme is that of the root.
func (e *exam) scheme() string {
	scheme, _, _ := strings.Cut(e.store.Root(), ":")
	return scheme
}
