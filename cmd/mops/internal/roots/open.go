// Package roots finds what people mean by an address: it opens the root that this
// names, else the default one, and says whether it is of a pipeline, a function, a
// call, a record or a session, and what is near to one that names nothing. The
// commands that are about stores use it.
package roots

import (
	"context"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
)

// opener opens roots.
type opener struct {
	*cli.App
	once bool // each operation is tried once
}

// root is the URI of the default root.
func (o opener) root() (string, error) {
	// Whether other settings make sense is for programs to judge.
	settings, err := config.FromEnv(func(name string) (string, bool) {
		if name != "MOPS_ROOT" {
			return "", false
		}
		return o.Lookup(name)
	})
	if err != nil {
		return "", err
	}
	if settings.Root != nil {
		return *settings.Root, nil
	}
	file, err := ConfigFile(o.App)
	if err != nil {
		return "", err
	}
	if file.Defaults.Root != nil {
		return *file.Defaults.Root, nil
	}
	return config.DefaultRoot, nil
}

// ConfigFile is the one that programs use here, or says nothing.
func ConfigFile(a *cli.App) (*config.File, error) {
	_, file, err := FindConfig(a)
	return file, err
}

// FindConfig is ConfigFile, and says how it was found.
func FindConfig(a *cli.App) (found config.Found, file *config.File, err error) {
	found, err = config.Find("", a.Lookup)
	if err != nil || found.Path == "" {
		return found, &config.File{}, err
	}
	file, err = config.Load(found.Path)
	return found, file, err
}

// Executors are the settings of executors of a name: those of the config file, and
// those of variables.
func Executors(a *cli.App, name string) (file, environ map[string][]string, err error) {
	said, err := ConfigFile(a)
	if err != nil {
		return nil, nil, cli.Usage(err)
	}
	variables, err := config.ExecutorsFromEnv(a.Lookup)
	if err != nil {
		return nil, nil, cli.Usage(err)
	}
	return said.Executors[name], variables[name], nil
}

// open opens a root. Addresses are printed without user and query; those are
// taken from the default root if it is the same one.
func (o opener) open(ctx context.Context, uri string) (*blob.Store, error) {
	if usual, err := o.root(); err == nil && usual != uri {
		if bare, _, more := strings.Cut(usual, "?"); more && strings.TrimSuffix(bare, "/") == uri {
			uri = usual
		}
	}
	if strings.HasPrefix(uri, "mem:") {
		return nil, cli.Usagef("%s lives in the memory of one program and nobody else can see it; give that program a root such as file:///data/mops", uri)
	}
	store, err := blob.Open(ctx, uri)
	if err != nil {
		if blob.Is(err, blob.Invalid) {
			return nil, cli.Usage(err)
		}
		return nil, err
	}
	if o.once {
		return store, nil
	}
	tries := blob.RetryPolicy{}
	if store.IsLocal() {
		tries.Tries = 3
	}
	return blob.Retry(store, tries), nil
}

// Open opens a root by its URI.
func Open(ctx context.Context, a *cli.App, uri string) (*blob.Store, error) {
	return opener{App: a}.open(ctx, uri)
}

// Bare opens the root of the one argument that a command may have, else the
// default root, so that what fails is not tried again.
func Bare(ctx context.Context, a *cli.App, line cli.Line) (*blob.Store, error) {
	return opener{a, true}.ofLine(ctx, line)
}

func (o opener) ofLine(ctx context.Context, line cli.Line) (*blob.Store, error) {
	if line.Empty() {
		return o.openDefault(ctx)
	}
	text, err := line.One("the address of a root")
	if err != nil {
		return nil, err
	}
	x, err := o.resolve(ctx, text)
	if err == nil && x.Kind != KindRoot {
		err = cli.Usagef("%s is no root: that is %s", x.URI(), x.Store.Root())
	}
	return x.Store, err
}

// Default opens the default root.
func Default(ctx context.Context, a *cli.App) (*blob.Store, error) {
	return opener{App: a}.openDefault(ctx)
}

func (o opener) openDefault(ctx context.Context) (*blob.Store, error) {
	uri, err := o.root()
	if err != nil {
		return nil, fmt.Errorf("the default root: %w", err)
	}
	return o.open(ctx, uri)
}

// Opened is Bare with what fails tried again.
func Opened(ctx context.Context, a *cli.App, line cli.Line) (*blob.Store, error) {
	return opener{App: a}.ofLine(ctx, line)
}
