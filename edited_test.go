package mops_test

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

// What is done about edits, whole programs show: see the tests of mops-lock.
func TestEditedSettings(t *testing.T) {
	for _, policy := range []mops.EditPolicy{mops.WarnOfEdits, mops.OwnVersion, mops.IgnoreEdits} {
		t.Setenv("MOPS_EDITED", "sometimes") // an option wins
		newEnv(t, memoryRoot(t), private(), mops.Edited(policy), mops.CacheDir(t.TempDir()))
	}
	for variable, options := range map[string][]mops.EnvOption{"sometimes": nil, "warn": {mops.Edited("sometimes")}} {
		t.Setenv("MOPS_EDITED", variable)
		_, err := mops.New(t.Context(), append(options, memoryRoot(t), private(), mops.CacheDir(t.TempDir()))...)
		if err == nil || !strings.Contains(err.Error(), `MOPS_EDITED or the option Edited is "sometimes": give one of ["warn" "own" "off"]`) {
			t.Errorf("MOPS_EDITED=%s: %v", variable, err)
		}
	}
	t.Setenv("MOPS_EDITED", "sometimes")
	newEnv(t, memoryRoot(t), private(), mops.Isolated(), mops.CacheDir(t.TempDir()))
}
