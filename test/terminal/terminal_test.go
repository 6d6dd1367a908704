package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/debian"
)

// terminal is a tmux server with one pane.
type terminal struct {
	t      *testing.T
	tmux   string
	socket string
	stops  string // see there
	height int
}

// open runs a command line of a shell in a new terminal.
func open(t *testing.T, width, height int, line string) *terminal {
	t.Helper()
	t.Parallel()
	path, err := exec.LookPath("tmux")
	if err != nil && debian.Usable() {
		if err = debian.Get(t.Context(), "", "install", "--yes", "--no-install-recommends", "tmux"); err == nil {
			path, err = exec.LookPath("tmux")
		}
	}
	if err != nil {
		t.Skip("there is no tmux here, and only root on Debian gets it with apt-get install tmux: ", err)
	}
	folder, err := os.MkdirTemp("", "tmux") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	term := &terminal{t: t, tmux: path, socket: filepath.Join(folder, "s"), stops: folder, height: height}
	settings := filepath.Join(folder, "conf")
	if err := os.WriteFile(settings, []byte("set -g history-limit 10000\nset -g status off\nset -g remain-on-exit on\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	term.run("-f", settings, "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height),
		"-e", "PROGRAM="+self, "-e", "STOPS="+stops+"="+folder, "-e", "PS1=ready> ", "sh", "-c", line)
	t.Cleanup(func() { exec.Command(term.tmux, "-S", term.socket, "kill-server").Run() })
	return term
}

func (term *terminal) run(arguments ...string) string {
	term.t.Helper()
	said, err := exec.Command(term.tmux, append([]string{"-S", term.socket}, arguments...)...).CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %v: %v\n%s", arguments, err, said)
	}
	return string(said)
}

// goOn lets the program go on from where it stops.
func (term *terminal) goOn(number int) {
	term.t.Helper()
	if err := os.WriteFile(filepath.Join(term.stops, fmt.Sprint(number)), nil, 0o600); err != nil {
		term.t.Fatal(err)
	}
}

func (term *terminal) press(keys ...string) { term.run(append([]string{"send-keys"}, keys...)...) }

// text is all that was ever printed, the screen last, without the block, the last lines of
// which are returned apart. Lines that wrap are whole.
func (term *terminal) text() (text string, block []string) {
	rows := strings.Split(term.run("capture-pane", "-p", "-J", "-S", "-"), "\n")
	first := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, "test/sp") })
	if first < 0 {
		first = len(rows)
	}
	for _, row := range rows[first:] {
		block = append(block, strings.TrimRight(row, " "))
	}
	return asShown(strings.Join(rows[:first], "\n")), block
}

// await waits until the terminal shows what it should.
func (term *terminal) await(what string, is func(text string, block []string) bool) {
	term.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		text, block := term.text()
		if is(text, block) {
			return
		}
		if time.Now().After(deadline) {
			term.t.Fatalf("%s: not within 3 minutes; the terminal shows\n%s%s", what, text, strings.Join(block, "\n"))
		}
	}
}

func shown(_ string, block []string) bool {
	return len(block) > 0 && strings.Contains(block[0], "1 running")
}

// asShown is a text without what nobody sees: spaces at the end of lines, and lines at its end.
func asShown(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n") + "\n"
}

func gone(_ string, block []string) bool { return len(block) == 0 }
func has(words string) func(string, []string) bool {
	return func(text string, _ []string) bool { return strings.Contains(text, words) }
}

// anywhere asks below what looks like a block, too.
func anywhere(is func(string, []string) bool) func(string, []string) bool {
	return func(text string, block []string) bool { return is(text+strings.Join(block, "\n"), nil) }
}

// The margins are the terminal's own again if what follows reaches the last row.
func (term *terminal) expectWhole() {
	term.t.Helper()
	term.await("the block goes", gone)
	term.press("Enter")
	term.await("the next command", has("\n100\n"))
	term.await("lines as far as the last row", func(string, []string) bool {
		rows := strings.Split(strings.TrimSuffix(term.run("capture-pane", "-p"), "\n"), "\n")
		return len(rows) == term.height && rows[term.height-2] == "100"
	})
}

const next = "; echo ended $?; read line; seq 100; read line"

// What functions print is on the terminal as if there were no block: while it stands,
// and when it has gone.
func TestPrintsStayWhole(t *testing.T) {
	want := "the program begins\n" + strings.Repeat(said, calls) + "the program ends\nmops: 6 calls: 6 computed in "
	for _, size := range [][2]int{{100, 30}, {80, 10}, {30, 6}, {11, 4}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			term := open(t, size[0], size[1], "env $STOPS "+program+"= $PROGRAM"+next)
			begun := "the program begins\n"
			above := func(text string, block []string) bool { return len(block) > 0 && text == asShown(begun) }
			term.await("the block", func(text string, block []string) bool {
				waits := strings.Contains(strings.Join(block, " "), "waiting: for a slot: the one slot is taken; inproc.Limit sets")
				return above(text, block) && (waits || size[0] < 100)
			})
			term.goOn(0)
			begun += said
			for i, p := range pieces {
				begun += p.shows()
				term.await(fmt.Sprintf("%q above the block", p.text), above)
				term.goOn(1 + i)
			}
			begun += said
			term.await("what half of the calls print", above)
			term.goOn(lastStop)
			term.await("the end", has("\nended 0"))
			if text, _ := term.text(); !strings.HasPrefix(text, want) {
				t.Errorf("there is\n%s\nwant\n%s", text, want)
			}
			term.expectWhole()
		})
	}
}

// However a program ends, its last words are there, and the terminal is the shell's.
func TestEveryEndGivesTheTerminalBack(t *testing.T) {
	for _, how := range []string{"exit", "fatal", "panic", "kill"} {
		t.Run(how, func(t *testing.T) {
			term := open(t, 80, 12, "env $STOPS "+program+"="+how+" $PROGRAM"+next)
			for number := range lastStop {
				term.goOn(1 + number)
			}
			term.await("the block", shown)
			term.goOn(0)
			term.await("the end", has("\nended "))
			text, _ := term.text()
			if want := "the program begins\n" + strings.Repeat(said, calls/2); !strings.HasPrefix(text, want) || !strings.Contains(text, "last words\n") {
				t.Errorf("there is\n%s", text)
			}
			term.expectWhole()
		})
	}
}

// A window that is made larger or smaller keeps all lines, and has one block at its
// bottom. The program learns of it after a while: what it draws meanwhile may leave a
// line of the block in the text, but takes none away.
func TestResize(t *testing.T) {
	term := open(t, 80, 24, "trap : INT; "+program+"=wait $PROGRAM"+next)
	term.await("the last words", has("last words"))
	for _, size := range [][2]int{{80, 10}, {60, 30}, {40, 8}, {100, 24}, {30, 5}, {90, 12}} {
		term.run("resize-window", "-x", fmt.Sprint(size[0]), "-y", fmt.Sprint(size[1]))
		term.height = size[1]
		term.await("a margin above the block", func(string, []string) bool {
			rows := strings.Split(strings.TrimSuffix(term.run("capture-pane", "-p"), "\n"), "\n")
			bottom, err := strconv.Atoi(strings.TrimSpace(term.run("display-message", "-p", "#{scroll_region_lower}")))
			return err == nil && bottom < size[1]-1 && len(rows) == size[1] && strings.HasPrefix(rows[bottom+1], "test/sp")
		})
	}
	term.press("C-c")
	term.await("the end", anywhere(has("\nended 130")))
	var lines []string
	text, rest := term.text()
	for line := range strings.Lines(text + strings.Join(rest, "\n")) {
		if !strings.HasPrefix(line, "test/sp") && !strings.HasPrefix(line, "waiting: ") && line != "\n" {
			lines = append(lines, line)
		}
	}
	want := "the program begins\n" + strings.Repeat(said, calls/2) + "last words\n"
	if text := strings.Join(lines, ""); !strings.HasPrefix(text, want) {
		t.Errorf("there is\n%s\nwant\n%s", text, want)
	}
}

// The block goes with Ctrl-Z, stays away in the background, and comes back with fg.
func TestJobControl(t *testing.T) {
	term := open(t, 80, 12, "exec sh -i")
	term.await("the shell", has("ready>"))
	term.press(program+"=wait $PROGRAM", "Enter")
	term.await("the block", shown)
	term.press("C-z")
	term.await("the shell", has("Stopped"))
	term.await("no block", gone)
	term.press("bg", "Enter")
	term.await("what it prints in the background", has("last words"))
	if _, block := term.text(); len(block) > 0 {
		t.Errorf("there is a block in the background: %q", block)
	}
	term.press("fg", "Enter")
	term.await("the block", shown)
	term.press("C-c")
	term.await("the end", has("\nmops: 6 calls"))
}
