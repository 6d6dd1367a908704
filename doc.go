// Package mops lets a program call its own pure functions: each call is
// memoized in a blob store that a team shares, under a key made from the
// function and the content of its input. If there is no result yet, the call
// runs where its options say, in this process, in a subprocess or on another
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
// A function is pure if its output depends on nothing but its input. mops
// trusts that and does not check (the command mops verify does). The memo key
// is made of the function's name, its [Version], those of the functions it
// [Calls], its types and the canonical encoding of its input. If a change makes
// the function return something else, change its version.
//
// Users import this package. A program that chooses among executors or blob
// stores imports those packages, too.
package mops
