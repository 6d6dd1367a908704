package remote

import (
	"errors"
	"strings"
	"testing"
)

// A command that has ended before it is asked anything has said whether the worker is
// gone.
func TestEndedBeforeAsked(t *testing.T) {
	for says, want := range map[string]string{
		"echo '" + goneLine + "'":   errGone.Error(),
		"echo no route >&2; exit 7": "sh ended with exit code 7: no route",
	} {
		l, err := open([]string{"sh", "-c", says}, "worker", nil)
		if err != nil {
			t.Fatal(err)
		}
		<-l.ended
		if err := new(Executor).meet(t.Context(), l, &binary{}); err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, errGone) != (want == errGone.Error()) {
			t.Errorf("%s: %v, want %s", says, err, want)
		}
	}
}
