package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/config"
)

// defaultRoot is used where nothing else is said, as by programs.
const defaultRoot = "file://~/.mops"

// root is the URI of the default root.
func (a *app) root() (string, error) {
	// Whether other settings make sense is for programs to judge.
	settings, err := config.FromEnv(func(name string) (string, bool) {
		if name != "MOPS_ROOT" {
			return "", false
		}
		return a.lookup(name)
	})
	if err != nil {
		return "", err
	}
	if settings.Root != nil {
		return *settings.Root, nil
	}
	file, err := a.configFile()
	if err != nil {
		return "", err
	}
	if file.Defaults.Root != nil {
		return *file.Defaults.Root, nil
	}
	return defaultRoot, nil
}

// configFile is the one that programs use here, or says nothing.
func (a *app) configFile() (*config.File, error) {
	path, found := config.Find("", a.lookup)
	if !found {
		return &config.File{}, nil
	}
	return config.Load(path)
}

// open opens a root. Addresses are printed without user and query; those are
// taken from the default root if it is the same one.
func (a *app) open(ctx context.Context, uri string) (*blob.Store, error) {
	if usual, err := a.root(); err == nil && usual != uri {
		if bare, _, more := strings.Cut(usual, "?"); more && strings.TrimSuffix(bare, "/") == uri {
			uri = usual
		}
	}
	if strings.HasPrefix(uri, "mem:") {
		return nil, usagef("%s lives in the memory of one program and nobody else can see it; give that program a root such as file:///data/mops", uri)
	}
	store, err := blob.Open(ctx, uri)
	if err != nil {
		if blob.Is(err, blob.Invalid) {
			return nil, usageError{err.Error()}
		}
		return nil, err
	}
	if a.once {
		return store, nil
	}
	tries := blob.RetryPolicy{}
	if store.IsLocal() {
		tries.Tries = 3
	}
	return blob.Retry(store, tries), nil
}

// bareRoot opens the root of the one argument that a command may have, else the
// default root, so that what fails is not tried again.
func (a *app) bareRoot(ctx context.Context, args, program []string) (*blob.Store, error) {
	a.once = true
	if len(args)+len(program) == 0 {
		return a.openDefault(ctx)
	}
	text, err := one(args, program, "the address of a root")
	if err != nil {
		return nil, err
	}
	x, err := a.resolve(ctx, text)
	if err == nil && x.what != aRoot {
		err = usagef("%s is no root: that is %s", x.uri(), x.store.Root())
	}
	return x.store, err
}

// openDefault opens the default root.
func (a *app) openDefault(ctx context.Context) (*blob.Store, error) {
	uri, err := a.root()
	if err != nil {
		return nil, fmt.Errorf("the default root: %w", err)
	}
	return a.open(ctx, uri)
}
