package subprocess

import (
	"slices"
	"testing"
)

func TestEnviron(t *testing.T) {
	got := environ(
		[]string{"A=process", "B=process", "C=process", "=C:=odd", "EMPTY="},
		[]string{"B=executor", "D=executor"},
		[]string{"C=1", "C=2", "D=invocation=with", "none"},
	)
	slices.Sort(got)
	want := []string{"=C:=odd", "A=process", "B=executor", "C=2", "D=invocation=with", "EMPTY=", "none"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
