package remote

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/far"
)

// link is a command that runs, and leads to an agent.
type link struct {
	command *exec.Cmd
	in      *os.File // what it reads
	out     *os.File // what it prints
	lines   *bufio.Reader
	said    *tail
	host    string
	ended   chan struct{} // closed when the command has ended
}

// errGone says that the place of a worker is not there any more.
var errGone = errors.New("the worker is gone")

// goneLine is what a command of [Again] prints then.
const goneLine = `{"gone":true}`

// open starts a command that is to lead to a shell.
func open(command []string, name string, explain func(string)) (*link, error) {
	arguments := make([]string, 0, len(command)+1)
	for _, a := range command {
		arguments = append(arguments, strings.ReplaceAll(a, WorkerName, name))
	}
	arguments = append(arguments, "sh")
	l := &link{said: &tail{line: explain}, ended: make(chan struct{})}
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer theirOut.Close()
	l.in, l.out, l.lines = in, out, bufio.NewReader(out)
	l.command = exec.Command(arguments[0], arguments[1:]...)
	l.command.Stdin, l.command.Stdout, l.command.Stderr = theirIn, theirOut, l.said
	l.command.WaitDelay = time.Second // others may have its standard error, such as a master of ssh
	apart(l.command)
	if err := l.command.Start(); err != nil {
		l.close()
		return nil, err
	}
	go func() { // ends with the command
		defer close(l.ended)
		l.command.Wait()
	}()
	return l, nil
}

// program is the command without its arguments, which may hold what is secret.
func (l *link) program() string { return l.command.Args[0] }

func (l *link) close() {
	l.in.Close()
	l.out.Close()
}

// leave lets the command go on as long as the worker. What it prints is read on: podman
// removes a container whose output it cannot hand on.
func (l *link) leave(all <-chan far.Report) {
	l.in.Close()
	go func() { // ends with the command
		drain(all)
		io.Copy(io.Discard, l.lines)
		l.out.Close()
	}()
}

// endTime is how long a command may take to end when all is said.
const endTime = 10 * time.Second

// end waits for the command, which has no more to do.
func (l *link) end() {
	l.in.Close()
	defer l.out.Close()
	go io.Copy(io.Discard, l.out) // until it is closed
	select {
	case <-l.ended:
	case <-time.After(endTime):
		l.kill()
	}
}

// cancel ends the command before it led to a worker: in its own way, as srun takes its
// job out of the queue then.
func (l *link) cancel() {
	l.signal(syscall.SIGTERM)
	l.in.Close() // the first process of a container heeds no signal
	select {
	case <-l.ended:
	case <-time.After(endTime):
	}
	l.kill()
	l.close()
}

// kill ends the command at once, without a word to the other side.
func (l *link) kill() {
	l.signal(syscall.SIGKILL)
	<-l.ended
}

// signal signals the command, unless its number may be another's.
func (l *link) signal(s syscall.Signal) {
	select {
	case <-l.ended:
	default:
		signalGroup(l.command, s)
	}
}

// ask sends a request. A command that does not read it any more is noticed elsewhere.
func (l *link) ask(r far.Request) error { return json.NewEncoder(l.in).Encode(r) }

// begin says what the agent is to do. Whether it found a worker it says at once.
func (l *link) begin(ctx context.Context, first far.Request) error {
	if err := l.ask(first); err != nil || first.Attach == nil {
		return err
	}
	defer context.AfterFunc(ctx, l.kill)()
	line, err := l.lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s ended before it was known whether the worker is there: %s", l.program(), l.said)
	}
	var report far.Report
	switch err := json.Unmarshal([]byte(line), &report); {
	case err != nil:
		return err
	case report.Gone:
		return errGone
	}
	return nil
}

// meet leads the command to an agent, and sends the program if the machine has not
// got it. If it fails, the command has ended.
func (e *Executor) meet(ctx context.Context, l *link, b *binary) error {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		l.cancel()
	})
	err := e.converse(l, b)
	if errors.Is(err, syscall.EPIPE) { // it has ended before it was asked, and may have said why
		_, err = l.answer("", 0)
	}
	if !stop() {
		<-interrupted
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	l.end() // what it says on standard error is complete then
	code := l.command.ProcessState.ExitCode()
	switch {
	case !errors.Is(err, io.EOF):
		return err
	case code == 0:
		return fmt.Errorf("%s ended without a word of the program there; its main must call mops.Main or mops.Init first", l.program())
	}
	return &commandError{program: l.program(), code: code, said: l.said.String()}
}

// commandError says that the command failed before an agent greeted.
type commandError struct {
	program string
	code    int
	said    string
}

func (e *commandError) Error() string {
	said := e.said
	if said == "" {
		said = "it said nothing"
	}
	return fmt.Sprintf("%s ended with exit code %d: %s%s", e.program, e.code, said, e.advice())
}

// advice is what to do about it; "" if nobody knows more than the command said.
func (e *commandError) advice() string {
	did := func(words string) bool { return strings.Contains(e.said, words) }
	switch {
	case did("Host key verification failed"):
		return "; connect once by hand, and compare its key"
	case did("Permission denied (publickey"):
		return "; name the user (user@host), and put your key there (ssh-copy-id)"
	case did("No space left"), did("quota exceeded"):
		return "; make room, or set MOPS_CACHE there to a folder for programs that has some"
	case e.code == 126 && did("/programs/"):
		return "; programs may not be executed in that folder: set MOPS_CACHE there to one where they may"
	case e.code == 127 && did("/programs/"):
		return "; the program needs a C library that is not there: build it with CGO_ENABLED=0"
	}
	return ""
}

// isHiccup reports whether ssh could not connect though the machine is there: its
// server takes only so many at once.
func isHiccup(err error) bool {
	failed, ok := errors.AsType[*commandError](err)
	return ok && failed.code == 255 && (strings.Contains(failed.said, "kex_exchange_identification") || strings.Contains(failed.said, "Connection reset by"))
}

// The parts of the conversation with the shell, which waits for each: so nobody can
// read what is meant for another. %[1]s is a word that no greeting of the machine
// contains, %[2]s the hash of the program.
const (
	look = `p="${MOPS_CACHE:-${XDG_CACHE_HOME:-${HOME?set it, or MOPS_CACHE}/.cache}/mops}/programs/%[2]s"
n=0; if [ -x "$p" ]; then n=$(wc -c <"$p"); touch -c "$p" 2>/dev/null; fi; echo "%[1]s $((n)) $(uname -s) $(uname -m)"
`
	// A shell that goes on after a failure would take the program for commands. What it
	// got is removed unless the agent takes its place.
	receive = `trap 'rm -f "$p.%[1]s"' 0
{ (umask 077; mkdir -p "${p%%/*}" && : >"$p.%[1]s") && echo "%[1]s send" && head -c %[3]d >"$p.%[1]s" && if [ $(wc -c <"$p.%[1]s") -ne %[3]d ]; then echo "the program came in part" >&2; exit 1; fi && chmod 700 "$p.%[1]s" && echo "%[1]s whole"; } || exit 1
`
	begin      = "export " + far.Variable + "=" + far.Serve + `; exec "$p"` + "\n"
	beginFresh = "export " + far.Variable + "=" + far.Check + `%[2]s; exec "$p.%[1]s"` + "\n"
)

// converse takes the shell to the agent's greeting.
func (e *Executor) converse(l *link, b *binary) error {
	word := "mops-" + strings.ToLower(rand.Text())
	there, err := l.looks(word, b)
	if err != nil {
		return err
	}
	if there {
		return l.greeted(begin)
	}
	e.sending.Lock()
	defer e.sending.Unlock()
	if there, err = l.looks(word, b); err != nil {
		return err
	}
	if there {
		return l.greeted(begin)
	}
	if err := l.send(word, b); err != nil {
		return err
	}
	return l.greeted(fmt.Sprintf(beginFresh, word, b.hash))
}

// looks asks whether the machine has the program.
func (l *link) looks(word string, b *binary) (there bool, err error) {
	if _, err := fmt.Fprintf(l.in, look, word, b.hash); err != nil {
		return false, err
	}
	said, err := l.answer(word, 3)
	if err != nil {
		return false, err
	}
	if err := b.suits(said[1], said[2]); err != nil {
		return false, err
	}
	size, err := strconv.ParseInt(said[0], 10, 64)
	return size == b.size, err
}

// send puts the program there, beside its place.
func (l *link) send(word string, b *binary) error {
	file, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := fmt.Fprintf(l.in, receive, word, b.hash, b.size); err != nil {
		return err
	}
	if _, err := l.answer(word, 1); err != nil {
		return err
	}
	n, err := io.Copy(l.in, io.LimitReader(file, b.size))
	if err != nil {
		return err
	}
	if n != b.size {
		return fmt.Errorf("the program %s was changed while it was sent; call it again", b.path)
	}
	_, err = l.answer(word, 1)
	return err
}

// answer waits for the line that begins with the word, and returns what follows. Other
// lines are what machines print when somebody logs in.
func (l *link) answer(word string, fields int) ([]string, error) {
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			return nil, io.EOF
		}
		if strings.TrimSpace(line) == goneLine {
			return nil, errGone
		}
		if said := strings.Fields(line); len(said) == fields+1 && said[0] == word {
			return said[1:], nil
		}
	}
}

// greeted lets the shell become the agent, and waits for its greeting.
func (l *link) greeted(begin string) error {
	if _, err := io.WriteString(l.in, begin); err != nil {
		return err
	}
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			return io.EOF
		}
		var report far.Report
		if json.Unmarshal([]byte(line), &report) != nil {
			continue
		}
		if report.Gone {
			return errGone
		}
		if report.Hello != nil {
			l.host = report.Hello.Host
			return nil
		}
	}
}
