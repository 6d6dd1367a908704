package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Replay is a run of a stored call in whatever process of a command turns out to
// be a program of mops. The run takes no lease and stores nothing, and the calls
// that it makes do not either. What the function returns goes as a record into
// the file Spec.Verify. A function that panics ends the process by its panic.
type Replay struct {
	// Dir is the folder for what the process says, and for the folders of OutDir,
	// which stay.
	Dir string `json:"dir"`
}

// Said is the file for what the process says of the run: a Replayed, as JSON.
func (r Replay) Said() string { return filepath.Join(r.Dir, "said.json") }

// Replayed is what a process says of a call that it replays, before the function
// runs.
type Replayed struct {
	Refused  string       `json:"refused,omitempty"` // why the function did not run
	Function FunctionCode `json:"function,omitzero"` // of this program
	Run      record.Run   `json:"run,omitzero"`      // as far as it is known when it begins
	Modules  []string     `json:"modules,omitempty"` // of this program
	Notes    []string     `json:"notes,omitempty"`   // in what the call is not quite the stored one
}

// Refuse says on standard error why a worker does not run, and returns its exit
// code. Whoever replays a call learns it from a file, too.
func (s Spec) Refuse(err error) int {
	if s.Replay == nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return executor.ExitFailed
	}
	fmt.Fprintln(os.Stderr, "mops replay:", err)
	if err := s.Replay.say(Replayed{Refused: err.Error()}); err != nil {
		fmt.Fprintln(os.Stderr, "mops replay:", err)
	}
	return executor.ExitFailed
}

func (r Replay) say(what Replayed) error {
	text, err := json.Marshal(what)
	if err == nil {
		err = os.WriteFile(r.Said(), text, 0o600)
	}
	return err
}

// replay runs the stored call on this goroutine, which is the program's main one:
// a stack that a debugger shows is that of a usual program.
func (p Process) replay(ctx context.Context) (code int) {
	os.Remove(p.Spec.Verify) // a debugger may have started the program before
	task, said, err := p.replayed(ctx)
	if err == nil {
		err = p.Spec.Replay.say(said)
	}
	if err != nil {
		return p.Spec.Refuse(err)
	}
	task.RunOn(p.Context(ctx), func(done Done) {
		switch err := done.Err; {
		case err != nil:
			code = p.Spec.Refuse(err)
		default:
			if err := os.WriteFile(p.Spec.Verify, done.Sealed, 0o600); err != nil {
				code = p.Spec.Refuse(err)
			} else if done.Failed != nil {
				code = executor.ExitFailed
			}
		}
		if done.Exits {
			os.Exit(code)
		}
	})
	return code
}

// replayed makes the task of the stored call. A worker refuses to be other than
// its caller; here a person wants to see the function run on that input, so it
// runs as long as the input fits, and the notes say the rest.
func (p Process) replayed(ctx context.Context) (task Task, said Replayed, err error) {
	store, _, err := p.Root(ctx, p.Spec.Root)
	if err != nil {
		return Task{}, said, err
	}
	call, err := memokey.Parse(p.Spec.Path)
	if err != nil {
		return Task{}, said, err
	}
	place := memo.Place{Store: store, Path: p.Spec.Path, Key: call.Key}
	f, found := p.Registry.Lookup(p.Spec.Function)
	switch {
	case !found:
		return Task{}, said, fmt.Errorf("this program (%s) has no function %s; it has %s", describe(record.ThisProgram()), p.Spec.Function, p.names())
	case !f.Implemented():
		return Task{}, said, fmt.Errorf("function %s: %w", f.Name, function.ErrNotImplemented)
	}
	if err := f.Prepare(); err != nil {
		return Task{}, said, err
	}
	invocation, err := place.Invocation(ctx)
	if err != nil {
		return Task{}, said, fmt.Errorf("the stored input: %w", err)
	}
	var header record.InvocationHeader
	if err := invocation.Into(&header); err != nil {
		return Task{}, said, err
	}
	if err := fitsInput(ctx, header, f, invocation.Body); err != nil {
		return Task{}, said, err
	}
	said = Replayed{Function: codeOf(f), Run: begin(p.Spec.Assignment), Modules: record.Modules(), Notes: replayNotes(header.Call, f)}
	return Task{
		Assignment: p.Spec.Assignment, Function: f, Place: place, Input: invocation.Body, Sources: header.Sources,
		Apart: true, Crash: true, OutDirs: p.Spec.Replay.Dir, Files: p.Files, Logger: p.Logger,
	}, said, nil
}

// names lists the functions of this program.
func (p Process) names() string {
	var names []string
	for _, f := range p.Registry.All() {
		names = append(names, f.ID())
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// fitsInput says why the stored input is none of the function's.
func fitsInput(ctx context.Context, stored record.InvocationHeader, f *function.Function, input []byte) error {
	is := f.Describe(stored.Pipeline)
	why := f.DecodeIn(ctx, input, f.NewIn(), nil)
	switch {
	case stored.Codec != is.Codec:
		why = fmt.Errorf("it is encoded as %s, and this program reads %s", stored.Codec, is.Codec)
	case stored.In == is.In && why == nil:
		return nil
	case why == nil:
		why = errors.New("it could be read, but not all of it would mean the same")
	}
	built := ""
	if by := stored.Program; by.Revision != "" {
		built = ", revision " + by.Revision
	}
	return fmt.Errorf("the stored input does not fit %s of this program, which takes another type than the program that made the call: %w; build it from that program's source%s", f.ID(), why, built)
}

// replayNotes say in what a call to f is not quite the stored one.
func replayNotes(stored record.Call, f *function.Function) (notes []string) {
	is := f.Describe(stored.Pipeline)
	if stored.Version != is.Version {
		notes = append(notes, fmt.Sprintf("the program has version %s of the function, and the call is of version %s", is.Version, stored.Version))
	}
	if stored.Out != is.Out {
		notes = append(notes, "the function returns another type now: a result cannot be the stored one")
	}
	if then, now := strings.Join(stored.Calls, ", "), strings.Join(is.Calls, ", "); then != now {
		notes = append(notes, fmt.Sprintf("the function names other functions that it calls: %s then, %s now", cmp.Or(then, "none"), cmp.Or(now, "none")))
	}
	if f.In().HandsOver() {
		notes = append(notes, `fields of the input that are tagged mops:"-" are not stored: they are zero here`)
	}
	return notes
}
