// Package purity finds what makes the result of a function depend on something
// else than its input: clock, chance, environment, variables that change, files
// and networks that are no sources, and functions of mops that its definition
// does not name in Calls. It stands on package fingerprint, which finds the
// functions, and under those who show findings: the lock, and an analyser.
//
// # What is looked at
//
// Code of the user's own: the module, its workspace, and modules that folders
// replace. What other packages do is a list (known.go). It looks for what is never
// right, and keeps silent where it cannot tell: a file is read by a name that a
// value behind an interface has; a package of others is not in the list. It does
// not run anything, so mops verify stays the proof.
//
// A value that goes only to logs, to metrics or into a deadline is in no result,
// and neither is a variable that is only written. A file is right if its name
// comes from mops (a source, OutDir) or from a temporary folder made here.
//
// # How to accept
//
// A comment //mops:pure REASON accepts what is on its line (or on the next, if it
// stands alone) with all that is called from there. In the doc comment of a
// declaration or on its first line it is for the declaration; before or behind a
// package clause, for the file. One without a reason is a finding.
//
// # In which order to read
//
// read.go reads a package by itself and makes a summary (summary.go): for each
// declaration what it uses, calls and changes, and from what its values are made
// (flow.go). writes.go, converts.go, shown.go and accept.go are parts of that.
// world.go finds summaries, and what runs before main only. resolve.go puts them
// together: a function that opens the file which a
// parameter names is right or wrong by what its callers pass. reach.go goes from
// a function to all that it may run, and reports (purity.go).
//
// An analyser sees one package at a time, and gets the summaries of the others as
// facts; that is why they are plain data. Both ways give the same findings.
package purity
