// Package memokey names calls: what a function, a version and a pipeline may be
// called, the memo key of a call, and where below the root of a store its
// records lie. It knows no types and does no I/O; functions, orchestrator,
// worker and the tool take their names from it.
package memokey
