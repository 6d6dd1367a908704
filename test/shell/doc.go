// Package shell has the tests that need a terminal: what real shells complete with the
// scripts that the tool prints, and where the tool writes in colours.
package shell
