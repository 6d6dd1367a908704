package mops_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// Calls that are named after keys were made would silently be missing from all
// keys: a stale result for a changed version.
func TestCallsThatComeTooLate(t *testing.T) {
	registry := mops.In(mops.NewRegistry())
	one := func(context.Context, int) (int, error) { return 1, nil }
	callee := mops.Define("callee", one, registry)
	late := mops.Declare[int, int]("late", registry)
	mopstest.Context(t, registry)
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, "too late") || !strings.Contains(said, "late") {
			t.Errorf("Implement said %q", said)
		}
	}()
	late.Implement(one, mops.Calls(callee))
}
