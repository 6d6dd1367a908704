package mops

import "context"

// Inject stores out as the result of the call with in: an output that was
// computed outside of mops, or mended by hand. The function does not run.
// Inject stores the files in the output first. The record marks the result as
// injected, for people; otherwise it is like any other. A program that computes
// the call at the same time gets it, too.
//
// If there is a result already, Inject fails with a *blob.Error of kind
// blob.Exists that names it. With [Refresh] it replaces the result; it always
// replaces a damaged one. With [Off] and [ReadOnly], which forbid writing,
// Inject fails.
func (f *Func[In, Out]) Inject(ctx context.Context, in In, out Out) error {
	env, c, err := f.prepare(ctx, &in)
	if err != nil {
		return err
	}
	err = env.engine.Inject(ctx, c, &out)
	return public(f.function.Name, env.engine.Place(c).URI(), err)
}
