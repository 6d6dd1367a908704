package mops

import "context"

// Inject puts an output that was computed elsewhere as the result of the call
// with in: from a run outside of mops, or mended by hand. The function does not
// run. Files in the output are stored first. The result is marked as injected,
// for people, and otherwise like any other; whoever computes the call at the
// same time gets it, too.
//
// Where there is a result already, Inject returns an error of kind blob.Exists,
// which names it. With [Refresh] it is replaced; a damaged one always is. With
// [Off] and [ReadOnly], which forbid to write, Inject fails.
func (f *Func[In, Out]) Inject(ctx context.Context, in In, out Out) error {
	env, c, err := f.prepare(ctx, &in)
	if err != nil {
		return err
	}
	err = env.engine.Inject(ctx, c, &out)
	return public(f.function.Name, env.engine.Place(c).URI(), err)
}
