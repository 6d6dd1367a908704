package mops_test

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

func TestUnreadableLock(t *testing.T) {
	for text, want := range map[string]string{
		"mops lock 2\n":                 "locked_test.go: line 1 of the lock: a newer release of mops wrote this lock",
		"mops lock 1\n\n<<<<<<< HEAD\n": "run mops-lock to write it anew",
	} {
		in := private()
		f := mops.Define("double", double, in)
		mops.Locked(text, in)
		_, err := f.Call(mopstest.Context(t), 2)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
