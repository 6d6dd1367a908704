// Package blobtest tests blob stores: [Run] is the conformance suite that every
// driver passes, [Checks] the same rules for use outside of tests, and [Faulty]
// a store that fails on purpose, for packages that build upon stores. It stands
// beside the drivers of package blob.
package blobtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Check is one rule that every store keeps.
type Check struct {
	Name string // one word in camel case
	Rule string // the rule, in a sentence

	// Run writes, reads and deletes blobs under prefix, a key that nothing else
	// uses. The error says how the store broke the rule.
	Run func(ctx context.Context, s *blob.Store, prefix string) error
}

// Checks are all the rules.
func Checks() []Check {
	return slices.Concat(basicChecks, bodyChecks, conditionChecks, listChecks, raceChecks)
}

// Option changes what [Run] expects.
type Option func(*suite)

type suite struct {
	except map[string]string
}

// Except skips the check of that name, for a store or an emulator that cannot
// pass it, and prints the reason. If there is no such check, the test fails.
func Except(name, reason string) Option {
	return func(s *suite) { s.except[name] = reason }
}

// Run runs every check as a subtest, for at most 2 minutes, on a store of its
// own, which open returns. open may return the same store each time: each check
// has a prefix of its own, "blobtest/" and its name.
func Run(t *testing.T, open func(t *testing.T) *blob.Store, options ...Option) {
	t.Helper()
	s := suite{except: make(map[string]string)}
	for _, option := range options {
		option(&s)
	}
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			if reason, ok := s.except[check.Name]; ok {
				t.Skip(reason)
			}
			store := open(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if err := check.Run(ctx, store, "blobtest/"+check.Name); err != nil {
				t.Errorf("%s\n%v", check.Rule, err)
			}
		})
		delete(s.except, check.Name)
	}
	for name := range s.except {
		t.Errorf("there is no check %s to except", name)
	}
}
