package roots

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// runName is what a person may call a run: its id, the beginning of one, or latest.
var runName = regexp.MustCompile(`^(latest|[0-9]{2,10}|[0-9]{10}-[A-Za-z]*)$`)

// IsRun reports whether a text names a run of a program, in the default root or in
// another: its id, the beginning of one, "latest", or any of these behind
// ROOT/mops1-runs/.
func IsRun(text string) bool {
	return runName.MatchString(text) || strings.Contains(text, "/"+programs.Prefix) || strings.HasPrefix(text, programs.Prefix)
}

// ReadRun reads the run of a program that a person names as for [IsRun].
func ReadRun(ctx context.Context, a *cli.App, text string) (*blob.Store, *programs.Run, error) {
	store, id, err := Run(ctx, a, text)
	if err != nil {
		return nil, nil, err
	}
	run, err := programs.Read(ctx, store, id)
	return store, run, err
}

// Run finds the run of a program that a person names as for [IsRun]. The address of
// a root is that of its latest run.
func Run(ctx context.Context, a *cli.App, text string) (store *blob.Store, id string, err error) {
	root, name := "", text
	if before, after, found := strings.Cut("/"+text, "/"+programs.Prefix); found {
		root, name = strings.TrimPrefix(before, "/"), strings.TrimRight(after, "/")
		name, _, _ = strings.Cut(name, "/")
		if root == "" && before != "" {
			root = before
		}
		if name == "" {
			name = "latest"
		}
	} else if !runName.MatchString(text) {
		root, name = text, "latest"
	}
	if root == "" {
		store, err = Default(ctx, a)
	} else {
		var x Address
		x, err = Resolve(ctx, a, root)
		store = x.Store
		if err == nil && x.Kind != KindRoot {
			err = cli.Usagef("%s is no run: mops runs lists those that there are", text)
		}
	}
	if err != nil {
		return nil, "", err
	}
	id, err = programs.Find(ctx, store, name)
	if errors.Is(err, programs.ErrNone) {
		err = cli.NotFoundf("%w; programs leave one when they make calls, unless they are told not to (MOPS_RUNS=off)", err)
	}
	return store, id, err
}
