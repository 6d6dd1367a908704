// Command suite runs one suite of tests with go test, in the modules of some folders
// side by side, since many tests mostly wait, and closes with one line: how many tests passed, failed and
// were left out, and why. The Makefile uses it; users need not know of it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// event is a line of go test -json (see go doc test2json).
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: suite NAME FOLDER,... [arguments of go test] packages")
		os.Exit(2)
	}
	os.Exit(run(os.Args[1], strings.Split(os.Args[2], ","), os.Args[3:]))
}

func run(name string, folders, args []string) int {
	start := time.Now()
	t := tally{outputs: map[string][]string{}, skips: map[string][]string{}}
	var failed atomic.Bool
	var modules sync.WaitGroup
	for _, folder := range folders {
		modules.Go(func() {
			if err := t.test(folder, args); err != nil {
				fmt.Fprintln(os.Stderr, "suite:", err)
				failed.Store(true)
			}
		})
	}
	modules.Wait()
	t.leftOut()
	fmt.Printf("%s: %d passed, %d failed, %d skipped\n", name, t.passed, t.failed, t.skipped)
	fmt.Printf("  in %v\n", time.Since(start).Round(time.Second))
	if failed.Load() || t.failed > 0 {
		return 1
	}
	return 0
}

// test runs the tests of the module in a folder.
func (t *tally) test(folder string, args []string) error {
	command := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	command.Dir = folder
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // a failed build speaks plainly
			continue
		}
		t.count(e)
	}
	return command.Wait()
}

type tally struct {
	mu                      sync.Mutex
	passed, failed, skipped int
	outputs                 map[string][]string // of tests that are under way, and of packages
	skips                   map[string][]string // names, by reason
}

func (t *tally) count(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Test != "" || !strings.HasPrefix(e.Output, "ok ") {
			t.outputs[key] = append(t.outputs[key], e.Output)
		}
		return
	case "pass":
		if e.Test != "" {
			t.passed++
		} else {
			fmt.Printf("  ok   %6.1fs %s\n", e.Elapsed, e.Package)
		}
	case "fail", "build-fail":
		if e.Test != "" {
			t.failed++
		} else {
			fmt.Printf("  FAIL %6.1fs %s\n", e.Elapsed, e.Package)
			t.unfinished(e.Package)
		}
		fmt.Print(strings.Join(t.outputs[key], ""))
	case "skip":
		if e.Test != "" {
			t.skipped++
			why := reason(t.outputs[key])
			t.skips[why] = append(t.skips[why], e.Test)
		}
	default:
		return
	}
	delete(t.outputs, key)
}

// unfinished prints what the tests said that a package was in when it ended: of a
// panic, all that there is.
func (t *tally) unfinished(ended string) {
	for key, output := range t.outputs {
		if strings.HasPrefix(key, ended+" ") && key != ended+" " {
			fmt.Print(strings.Join(output, ""))
			delete(t.outputs, key)
		}
	}
}

// place is where in its file a test was skipped.
var place = regexp.MustCompile(`^\w+\.go:\d+: `)

// reason is what a skipped test said.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") && line != "" {
			said = append(said, place.ReplaceAllString(line, ""))
		}
	}
	return strings.Join(said, " ")
}

// leftOut says what was skipped, and by name where few were for one reason.
func (t *tally) leftOut() {
	for _, why := range slices.Sorted(maps.Keys(t.skips)) {
		tests := t.skips[why]
		slices.Sort(tests)
		what := fmt.Sprint(len(tests), " tests")
		if len(tests) < 4 {
			what = strings.Join(tests, ", ")
		}
		fmt.Printf("  left out: %s: %s\n", what, why)
	}
}
