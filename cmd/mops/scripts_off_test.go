//go:build !scripts

package main

import "testing"

func TestScripts(t *testing.T) {
	t.Skip("left out: the scripts of testdata/script run with -tags scripts; package testscript needs golang.org/x/tools, which go.mod does not require yet")
}
