// Package fingerprint tells by which code a function computes: a hash over the
// declarations that the function can reach, made from their syntax and types.
// It is the ground floor of trust: what locks, records and checks compare.
//
// # What counts
//
// The code of the main module, of the modules of a workspace and of those that
// a folder replaces counts by declaration. Layout, comments, names of locals and
// of helpers, and where a helper stands do not count; constants count by value.
// From the function on, a declaration counts if
//
//   - a declaration that counts refers to it;
//   - it is a method of a type that becomes an interface there, or one by which
//     a type marshals itself;
//   - it is what a package does before main (an init function, an initialiser,
//     a blank import) and can change a variable that counts, or fills a registry
//     of a package that the function uses;
//   - it assigns to a variable that counts, in the variable's own package;
//   - it is a file behind a declaration: embedded, assembly, or C.
//
// Other modules count by the content of the packages that the function can
// reach, whatever their version; the standard library and the compiler count by
// the minor version of Go. mops itself does not count: functions that it defines
// are cut off and named as callees.
//
// What a function can reach depends on the function's package and what that
// imports, never on what else was loaded. Nor does it depend on the machine: the
// sources are read as they are built for one named platform.
//
// # What does not
//
// Values that main or another goroutine sets, the environment, files and
// networks, plugins, C libraries, GODEBUG settings, and what the compiler changes
// within a minor version. Where the package can see that it cannot follow, the
// result has a [code.Note].
//
// # In which order to read
//
// load.go asks the go command which packages there are, check.go parses them
// and finds their types, define.go finds the functions. A declaration is a decl
// (decl.go), and so is a file behind one (data.go). facts.go says what is known
// of it alone: its syntax (syntax.go), its types (types.go), what it converts to
// interfaces (convert.go), and what it writes (writes.go). reach.go decides what
// counts for a function, with startup.go for what runs before main. graph.go
// makes one hash of that and of the dependencies (deps.go). checked.go shows the
// same code to package purity, which looks for something else in it.
package fingerprint
