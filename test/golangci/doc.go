// Package golangci has golangci-lint's registry find the analyser of package
// mopspure. It is in this module, like the tools that look at both modules as one
// and need what the plugin imports. It has no code of its own, only a test.
package golangci
