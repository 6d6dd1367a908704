//go:build requirements

// Package test names what only the other module's packages import. Tools that look
// at both modules at once, such as deadcode, load them by the requirements of this
// one.
package test

import _ "github.com/ebitengine/purego" // examples/mldemo, with the tag gpu
