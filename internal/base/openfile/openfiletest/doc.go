// Package openfiletest is for tests with odd things where files belong.
package openfiletest
