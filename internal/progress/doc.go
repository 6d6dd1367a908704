// Package progress counts the calls of a process and shows them while they
// last. A [Tracker] counts; a [Display] shows what it counted, as a block that
// is redrawn in place on a terminal and as plain lines elsewhere; [Lines]
// prefixes what workers print. It knows no other package of mops: the
// orchestrator reports to the tracker, the root package owns the display.
package progress
