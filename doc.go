// Package mops lets a program call its own pure functions: each call is
// memoized in a blob store that a team shares, under a key made from the
// function and the content of its input. Where there is no result, the call
// runs where the work needs it, in this process, in a subprocess or on another
// machine, and the result comes back through the store.
//
//	var Fibonacci = mops.Define("fibonacci", fibonacci)
//
//	func main() { mops.Main(run, mops.Root("file:///data/mops")) }
//
//	func run(ctx context.Context) error {
//		n, err := Fibonacci.Call(ctx, 42) // computed once, by anybody who shares the root
//		...
//	}
//
// A function is pure when its output depends on nothing but its input: mops
// trusts that, and never looks whether it is so (the command mops verify does).
// Its name, its [Version], those of the functions it [Calls], its types and the
// canonical encoding of its input make the memo key; when what a function
// returns changes, its version must.
//
// This package is what users import; the parts below it (executors, blob
// stores) are imported by programs that choose among them.
package mops
