// Package config reads the settings of mops from a TOML file and from the
// environment. It decides nothing: the root package merges what it says with
// the options given in code. Of mops it knows only the rules for names.
//
// A file has settings for all functions at its top level, and for the functions
// below a name prefix in entries:
//
//	root = "file:///data/mops"
//	pipeline = "forecast"
//
//	[function."forecast/train"]
//	executor = "cluster"
//	timeout = "2h"
//	force = true
//
// Every mistake is reported with its file, its line and the way to mend it, and
// all mistakes of a file at once.
package config
