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
	term := &terminal{t: t, tmux: path, socket: filepath.Join(folder, "s"), height: height}
	settings := filepath.Join(folder, "conf")
	if err := os.WriteFile(settings, []byte("set -g history-limit 10000\nset -g status off\nset -g remain-on-exit on\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	term.run("-f", settings, "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height),
		"-e", "PROGRAM="+self, "-e", "PS1=ready> ", "sh", "-c", line)
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

func (term *terminal) press(keys ...string) { term.run(append([]string{"send-keys"}, keys...)...) }

// text is all that was ever printed, the screen last, without the block, the last lines of
// which are returned apart. Lines that wrap are whole.
func (term *terminal) text() (text string, block []string) {
	rows := strings.Split(term.run("capture-pane", "-p", "-J", "-S", "-"), "\n")
	for i, row := range rows {
		rows[i] = strings.TrimRight(row, " ")
	}
	first := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, "test/sp") })
	if first < 0 {
		first = len(rows)
	}
	block = rows[first:]
	return strings.Trim(strings.Join(rows[:first], "\n"), "\n") + "\n", block
}

// await waits until the terminal shows what it should.
func (term *terminal) await(what string, is func(text string, block []string) bool) {
	term.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, block := term.text()
		if is(text, block) {
			return
		}
		if time.Now().After(deadline) {
			term.t.Fatalf("%s: not within 30 s; the terminal shows\n%s%s", what, text, strings.Join(block, "\n"))
		}
	}
}

func shown(_ string, block []string) bool {
	return len(block) > 0 && strings.Contains(block[0], "1 running")
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
	rows := strings.Split(strings.TrimSuffix(term.run("capture-pane", "-p"), "\n"), "\n")
	if len(rows) != term.height || rows[term.height-2] != "100" {
		term.t.Errorf("lines do not reach the last row:\n%s", strings.Join(rows, "\n"))
	}
}

const next = "; echo ended $?; read line; seq 100; read line"

// What functions print is on the terminal as if there were no block: while it stands,
// and when it has gone.
func TestPrintsStayWhole(t *testing.T) {
	want := "the program begins\n" + strings.Repeat(said, calls) + "the program ends\nmops: 6 calls: 6 computed in "
	for _, size := range [][2]int{{100, 30}, {80, 10}, {30, 6}, {11, 4}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			term := open(t, size[0], size[1], program+"= $PROGRAM"+next)
			blocks := 0
			term.await("the end", func(text string, block []string) bool {
				if begun, _, ended := strings.Cut(text, "mops: "); !strings.HasPrefix(want, strings.TrimSuffix(begun, "\n")) {
					t.Fatalf("there is\n%s\nwant no more than\n%s", text, want)
				} else if ended {
					return strings.Contains(text, "ended 0")
				}
				if len(block) > 0 {
					blocks++
				}
				if says := strings.Join(block, " "); blocks == 3 && size[0] == 100 && !strings.Contains(says, "waiting: for a slot: the one slot is taken; inproc.Limit sets") {
					t.Errorf("the block does not say what is waited for: %q", says)
				}
				return false
			})
			if blocks == 0 {
				t.Error("no block was seen")
			}
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
			term := open(t, 80, 12, program+"="+how+" $PROGRAM"+next)
			term.await("the block", shown)
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
