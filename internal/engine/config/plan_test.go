package config

import (
	"strings"
	"testing"
)

func TestPlan(t *testing.T) {
	for text, want := range map[string]bool{"": false, "1": true, "yes": true, "0": false, "off": false} {
		got, err := Plan(func(name string) (string, bool) { return text, name == "MOPS_PLAN" })
		if got != want || err != nil {
			t.Errorf("%q: %t, %v", text, got, err)
		}
	}
	if _, err := Plan(func(string) (string, bool) { return "2", true }); err == nil || !strings.Contains(err.Error(), `MOPS_PLAN="2"`) {
		t.Errorf("2: %v", err)
	}
}
