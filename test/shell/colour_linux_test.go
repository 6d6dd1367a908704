package shell

import (
	"os/exec"
	"strings"
	"testing"
)

// There is colour on a terminal that takes it, unless somebody minds; never in a pipe,
// and never in JSON and YAML.
func TestColour(t *testing.T) {
	root, _ := filled(t, 1)
	call := []string{"ls", "mops1/default/shop/trade@1"}
	for _, c := range []struct {
		environment string
		arguments   []string
		coloured    bool
	}{
		{"TERM=xterm", call, true},
		{"TERM=xterm", []string{"ls"}, true},
		{"TERM=xterm", []string{"doctor", "--quick"}, true},
		{"TERM=xterm", append([]string{"-o", "json"}, call...), false},
		{"TERM=xterm", append([]string{"-o", "yaml"}, call...), false},
		{"TERM=xterm NO_COLOR=1", call, false},
		{"TERM=dumb", call, false},
	} {
		command := exec.Command(tool, c.arguments...)
		command.Env = append(strings.Fields(c.environment), "MOPS_ROOT="+root, "HOME="+t.TempDir())
		term := onTerminal(t, command)
		<-term.ended
		text := term.text()
		if strings.Contains(text, "\x1b[") != c.coloured || len(text) < 20 {
			t.Errorf("%s mops %q: %q", c.environment, c.arguments, text)
		}
	}
	piped := exec.Command(tool, call...)
	piped.Env = []string{"TERM=xterm", "MOPS_ROOT=" + root}
	if text, err := piped.Output(); err != nil || strings.Contains(string(text), "\x1b") {
		t.Errorf("in a pipe: %q, %v", text, err)
	}
}
