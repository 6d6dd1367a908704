package emulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// start starts a server, which ends with the test.
func start(tb testing.TB, service string) *Server {
	tb.Helper()
	if testing.Short() {
		tb.Skip("left out with -short: over the emulators of the cloud stores")
	}
	s := &Server{}
	if err := json.Unmarshal(ask(tb, "/start", url.Values{"service": {service}}), s); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ask(tb, "/stop", url.Values{"server": {s.URL}}) })
	return s
}

// ask asks the process of the emulators for something, and returns the answer.
func ask(tb testing.TB, what string, query url.Values) []byte {
	tb.Helper()
	at, err := process()
	if err != nil {
		tb.Fatalf("starting the emulators: %v", err)
	}
	response, err := client.Post(at+what+"?"+query.Encode(), "", nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		tb.Fatal(err)
	case response.StatusCode == http.StatusFailedDependency && os.Getenv("CI") != "true":
		tb.Skip("left out: ", string(answer))
	case response.StatusCode != http.StatusOK:
		tb.Fatalf("the emulators: %s", answer)
	}
	return answer
}

// client uses no proxy and nothing else that a test may have put into the default one.
var client = &http.Client{Transport: &http.Transport{}}

// environment is what this process began with: tests may set HOME and more.
var environment = os.Environ()

// lifeline is the standard input of the emulators, kept from the garbage collector.
// They end when it does, which it does when this process does, in whatever way.
//
//lint:ignore U1000 a reference is all that it is for
var lifeline io.Closer

// process starts the emulators, and returns the URL where they are asked. There is
// one process for all tests of this one.
var process = sync.OnceValues(func() (string, error) {
	find := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/TrilliantHealth/mops-go")
	find.Env = environment
	top, err := find.Output()
	if err != nil {
		return "", fmt.Errorf("finding them: %w", err)
	}
	command := exec.Command("go", "run", "./emulator")
	command.Dir = filepath.Join(strings.TrimSpace(string(top)), "test")
	command.Env = environment
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return "", err
	}
	lifeline = stdin
	stdout, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return "", errors.Join(err, command.Wait())
	}
	return strings.TrimSpace(line), nil
})
