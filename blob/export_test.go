package blob

import "context"

// Registry is a registry of a test's own.
type Registry struct{ registry }

func (r *Registry) Register(scheme string, open OpenFunc) { r.register(scheme, open) }

func (r *Registry) Open(ctx context.Context, uri string) (*Store, error) { return r.open(ctx, uri) }
