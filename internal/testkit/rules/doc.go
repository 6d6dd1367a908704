// Package rules holds the rules of the house as tests: which room may know
// which, what the root package may pull in, that every package says what it is
// for. It has no code of its own.
package rules
