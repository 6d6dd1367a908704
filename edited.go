package mops

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/edits"
)

// EditPolicy says what becomes of calls of a function whose source was edited
// since it was locked.
type EditPolicy string

// The policies of [Edited].
const (
	WarnOfEdits EditPolicy = "warn" // calls go on as they are, and a warning says what was edited
	OwnVersion  EditPolicy = "own"  // calls go under a version of their own, such as 2.edited-3cd71bc6
	IgnoreEdits EditPolicy = "off"  // nobody looks
)

// Edited says what becomes of calls of a function whose source was edited since
// mops-lock wrote it down: while a person works on it. mops looks when the
// program starts, if the source lies where it was compiled: that takes
// milliseconds if nothing was edited. Else the command mops-lock looks, beside
// the program's work, if it is a tool of the source's module. What the program
// computes then names the edited code, and results of other code are treated as
// [CodeCheck] says.
//
// With [OwnVersion] the program waits for that, and calls of functions that were
// edited, and of those that name them in [Calls], find and leave no results
// under the version that is released. Default: MOPS_EDITED, else WarnOfEdits.
func Edited(policy EditPolicy) EnvOption {
	return envOption(func(e *envOptions) { e.edited = policy })
}

// look finds out which functions were edited. It returns when it is known, or
// leaves that to a goroutine, which env owns.
func (env *Env) look(ctx context.Context, o *envOptions, cacheDir string) error {
	policy := cmp.Or(o.edited, EditPolicy(strings.TrimSpace(os.Getenv("MOPS_EDITED"))), WarnOfEdits)
	if !slices.Contains([]EditPolicy{WarnOfEdits, OwnVersion, IgnoreEdits}, policy) {
		return fmt.Errorf("MOPS_EDITED or the option Edited is %q: give one of %q", policy, []EditPolicy{WarnOfEdits, OwnVersion, IgnoreEdits})
	}
	registry := o.registry.functions
	if policy == IgnoreEdits {
		return nil
	}
	locks := registry.Locks.Files()
	if len(locks) == 0 {
		return nil // most programs
	}
	sources := edits.Find(locks, cacheDir)
	if sources.None() && !record.ThisProgram().Dirty {
		return nil
	}
	settle, ok := registry.Look()
	if !ok {
		return nil // another environment of this program looks
	}
	if sources.None() {
		all := map[string]function.Actual{}
		for _, path := range locks {
			unknown(all, registry, path)
		}
		if len(all) > 0 {
			env.logger.Info("by which code locked functions compute is not known: the program was built from files that were not committed, and its source is not here")
		}
		settle(all)
		return nil
	}
	found, known := sources.Remembered()
	if known {
		settle(env.actual(registry, found, policy))
		return nil
	}
	ctx, env.stopLooking = context.WithCancel(ctx)
	var failed error
	look := func() {
		notice := time.AfterFunc(longLook, func() {
			env.logger.Info("mops-lock looks by which code functions compute, which takes longer the first time; what has to be computed waits for it")
		})
		defer notice.Stop()
		found, err := sources.Look(ctx)
		if failed = err; err != nil && ctx.Err() == nil {
			env.logger.Info("edits of locked functions cannot be looked at exactly: " + err.Error())
		}
		settle(env.actual(registry, found, policy))
	}
	if policy == OwnVersion {
		if look(); failed != nil {
			return fmt.Errorf("MOPS_EDITED or the option Edited is %q, and which functions were edited cannot be found out: %w", policy, failed)
		}
		return nil
	}
	env.looking.Go(look)
	return nil
}

// longLook is how long a look may take before people are told for what calls wait.
const longLook = 5 * time.Second

// mostLook is how long a program that is done waits for the look at its sources:
// what it says of their hits is exact then, and the next run knows it at once.
const mostLook = 30 * time.Second

// endLook waits until nobody looks any more. The look is ended at once if nothing
// that was used depends on what it finds, and after mostLook if something does.
func (env *Env) endLook() {
	if env.engine.Undecided() {
		defer time.AfterFunc(mostLook, env.stopLooking).Stop()
	} else {
		env.stopLooking()
	}
	env.looking.Wait()
	env.stopLooking()
}

// actual says what the functions are, and warns of what was edited.
func (env *Env) actual(registry *function.Registry, found edits.Found, policy EditPolicy) map[string]function.Actual {
	if found.Unbuilt != "" {
		env.logger.Warn("the source was written after this program was built, so nobody knows by which code its functions compute: build it again", "file", found.Unbuilt)
	}
	all := map[string]function.Actual{}
	for _, path := range found.Unknown {
		unknown(all, registry, path)
	}
	var unlocked []string
	for name, f := range found.Functions {
		own, err := registry.Locks.Of(name, f.Version)
		switch {
		case err != nil: // Prepare says why
		case own == nil:
			if _, known := registry.Lookup(name); known {
				unlocked = append(unlocked, name+"@"+f.Version)
			}
		case found.Unbuilt != "":
			all[name] = function.Actual{}
		case own.Accepts(f.Hash):
		default:
			all[name] = env.edited(own, f, policy)
		}
	}
	if len(unlocked) > 0 {
		slices.Sort(unlocked)
		env.logger.Info("beside functions that are locked some are not, so nobody notices their edits: run mops-lock", "functions", strings.Join(unlocked, " "))
	}
	return all
}

// unknown says that nobody knows by which code the functions of a package compute:
// then their records must not name what is locked.
func unknown(all map[string]function.Actual, registry *function.Registry, path string) {
	for _, own := range registry.Locks.In(path) {
		all[own.Name] = function.Actual{}
	}
}

func (env *Env) edited(own *code.Own, f edits.Function, policy EditPolicy) (is function.Actual) {
	id := own.Name + "@" + own.Version
	changed := "its source, or what that uses"
	is.Hash, is.Code = f.Hash, f.Code
	if f.Code != nil {
		changed = code.Named(code.Diff(&own.Fingerprint, f.Code), mostNamed)
	}
	if policy == WarnOfEdits {
		env.logger.Warn(fmt.Sprintf("%s was edited since it was locked: %s", id, changed),
			"then", fmt.Sprintf(`set another Version, or declare it equal: mops-lock --same %s "why"; meanwhile MOPS_EDITED=own keeps its results apart`, own.Name))
		return is
	}
	is.Version = editedVersion(own.Version, is.Hash)
	env.logger.Info(fmt.Sprintf("%s was edited since it was locked: %s", id, changed), "version", is.Version)
	return is
}

// mostNamed is how many changes a warning names.
const mostNamed = 3

// mostOfVersion leaves room in a version for what is added to it.
const mostOfVersion = 64 - len(".edited-00000000")

// editedVersion is the version under which calls of edited code are made.
func editedVersion(version, hash string) string {
	hash = strings.TrimPrefix(hash, edits.Unread)
	return version[:min(len(version), mostOfVersion)] + ".edited-" + hash[:min(len(hash), 8)]
}
