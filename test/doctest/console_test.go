package doctest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/delve"
	"github.com/TrilliantHealth/mops-go/test/machines"
)

// standIn is what is done in place of a command that a test cannot run as it
// stands on the page. An empty script leaves the command out.
type standIn struct{ command, script, reason string }

const module = "github.com/TrilliantHealth/mops-go"

var standIns = []standIn{
	{"git clone https://" + module, `true`, "the checkout under test stands for the published one"},
	{"cd mops-go", `cd "$REPOSITORY"`, "the checkout under test stands for the published one"},
	{"go get " + module, `go mod edit -replace ` + module + `="$REPOSITORY" && go get ` + module, "the checkout under test stands for the published one"},
	{"go get -tool " + module + "/cmd/mops-lock", `go get -tool ` + module + `/cmd/mops-lock`, "the checkout under test stands for the published one"},
	{"go get -tool " + module + "/cmd/mops-pure", `go get -tool ` + module + `/cmd/mops-pure`, "the checkout under test stands for the published one"},
	{"go mod tidy", `go mod edit -replace ` + module + `="$REPOSITORY" && go get ` + module + ` ` + module + `/k8s ` + module + `/image ` + module + `/blob/s3blob`, "the checkout under test stands for the published one"},
	{"go install " + module + "/cmd/mops@latest", `(cd "$REPOSITORY" && go install ./cmd/mops)`, "the checkout under test stands for the published one"},
	{"go install github.com/go-delve/delve/cmd/dlv@latest", `ln -s "$DLV" "$GOBIN/dlv"`, "a known version stands for the newest"},
	{"mops replay van-juniper-yonder -- dlv exec ./weather", inDebugger("mops replay van-juniper-yonder -- dlv exec ./weather", "break main.measure", "continue", "print day.City", "continue", "exit"), "a pipe stands for who types"},
	{"mops replay club-tiny-cider -- dlv exec ./weather", inDebugger("mops replay club-tiny-cider -- dlv exec ./weather", "continue", "stack", "exit"), "a pipe stands for who types"},
	{"mops replay van-juniper-yonder -- dlv exec ./weather --headless --listen 127.0.0.1:2345", headless, "dlv stands for an editor, and any free port for that one"},
	{"mops replay van-juniper-yonder -- perf record -g ./weather", `perf record -g -o perf.data true >/dev/null 2>&1 || exit 0; mops replay van-juniper-yonder -- perf record -g ./weather; test $? = 1 -a -s perf.data`, "left out where perf does not record"},
	{"mops serve", served, "it goes on until somebody ends it, at a port that may be taken"},
	{"make test", "", "this test is part of it"},
	{"make soak", "", "it takes as long as one lets it"},
	{"make bench", "", "it measures, and needs the machine for itself"},
}

// inDebugger is a command that starts a debugger, with what is typed there, on pipes
// that show it as a terminal does.
func inDebugger(command string, typed ...string) string {
	return fmt.Sprintf(`printf '%s\n' | %s --allow-non-terminal-interactive=true 2>&1 | awk -v all='%s' '
		BEGIN { split(all, typed, "|") }
		{ while (sub(/^\(dlv\) /, "")) print "(dlv) " typed[++n]; print }'`, strings.Join(typed, `\n`), command, strings.Join(typed, "|"))
}

// headless is a debugger without a terminal, and another that connects to it.
const headless = `mops replay van-juniper-yonder -- dlv exec ./weather --headless >headless.txt 2>&1 &
replay=$!
until address=$(sed -n 's/.*listening at: //p' headless.txt) && test -n "$address"; do kill -0 $replay || exit; sleep 0.1; done
echo continue | dlv connect "$address" --allow-non-terminal-interactive=true >/dev/null 2>&1
wait $replay; cat headless.txt`

// command is one line of a console block and what it prints.
// served ends the server when it has said where it is.
const served = `mops serve --port 0 >served.txt &
server=$!
until grep -q 'Ctrl-C' served.txt; do kill -0 $server || exit; sleep 0.1; done
kill -INT $server && wait $server && cat served.txt`

type command struct {
	line   string
	output []string // nil where it does not matter
	at     int      // line of the page
}

func (b block) commands() (all []command) {
	if b.language != "console" {
		return nil
	}
	continued := false
	for i, line := range b.lines {
		text, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case isCommand:
			all = append(all, command{line: text, at: b.line + i})
		case len(all) == 0:
			all = append(all, command{line: "false # the block begins with output", at: b.line + i})
		case continued:
			all[len(all)-1].line += "\n" + line
		default:
			all[len(all)-1].output = append(all[len(all)-1].output, line)
		}
		continued = strings.HasSuffix(line, `\`) && (isCommand || continued)
	}
	return all
}

// fetchModules fetches what the go command will ask for when the pages add mops to a
// module: a new machine does not have all of it. They cannot fetch it themselves, as
// mops must not come from elsewhere.
func fetchModules(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module modules\n\ngo 1.26\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + repository + "\n",
		"main.go": "package main\n\nimport (\n\t_ \"" + strings.Join([]string{module, module + "/k8s", module + "/image", module + "/blob/s3blob"}, "\"\n\t_ \"") + "\"\n)\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for in, arguments := range map[string][]string{folder: {"mod", "tidy"}, repository + "/examples/parquet": {"list", "-deps", "."}} {
		fetch := exec.CommandContext(t.Context(), "go", arguments...)
		fetch.Dir, fetch.Env = in, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
		if out, err := fetch.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
}

func TestCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: runs the commands of all pages")
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skipf("the commands of the pages are run by a shell: %v", err)
	}
	fetchModules(t)
	for _, s := range standIns {
		what := "left out"
		if s.script != "" {
			what = "stood in for"
		}
		t.Logf("%s is %s: %s", s.command, what, s.reason)
	}
	for _, p := range pages(t) {
		t.Run(p.name, func(t *testing.T) {
			var variables []string
			if strings.HasPrefix(p.name, "docs/kubernetes") && slices.ContainsFunc(p.blocks, func(b block) bool { return len(b.commands()) > 0 }) {
				variables = onCluster(t)
			}
			if p.name == "docs/machines.md" {
				ssh := machines.StartSSH(t)
				variables = append(variables, "PATH="+ssh.Path+":"+os.Getenv("PATH"), "SLURM_CONF="+machines.StartSlurm(t))
			}
			if p.name == "docs/replay.md" {
				variables = append(variables, "DLV="+delve.Program(t))
			}
			if p.name != "docs/code.md" { // what is said of edits depends on how fast the machine is
				variables = append(variables, "MOPS_EDITED=off")
			}
			t.Parallel()
			s := newSession(t, variables...)
			for _, b := range p.blocks {
				if path, ok := b.file(); ok {
					s.write(t, path, strings.Join(b.lines, "\n")+"\n")
				}
				for _, c := range b.commands() {
					if !s.run(t, p.name, c) {
						t.FailNow() // what follows builds upon it
					}
				}
			}
		})
	}
}

// session is a shell that remembers its folder and its variables from one
// command to the next.
type session struct{ folder, state string }

func newSession(t *testing.T, more ...string) *session {
	base := t.TempDir()
	s := &session{folder: filepath.Join(base, "work"), state: filepath.Join(base, "state")}
	for _, folder := range []string{s.folder, s.state, filepath.Join(base, "home"), filepath.Join(base, "bin"), filepath.Join(base, "tmp")} {
		if err := os.Mkdir(folder, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing of the one who runs the test, but for the caches of the go command.
	variables := []string{
		"HOME=" + filepath.Join(base, "home"), "TMPDIR=" + filepath.Join(base, "tmp"), "GOBIN=" + filepath.Join(base, "bin"),
		"PATH=" + filepath.Join(base, "bin") + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"LANG=C.UTF-8", "TERM=dumb", "USER=you", "REPOSITORY=" + repository,
		"MOPS_PROGRESS=off", // what it shows depends on how fast the machine is
		"GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off", "GOFLAGS=",
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatalf("go env %s: %v", name, err)
		}
		variables = append(variables, name+"="+strings.TrimSpace(string(out)))
	}
	variables = append(variables, more...)
	var exports strings.Builder
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&exports, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	s.save(t, "variables", exports.String())
	s.save(t, "folder", s.folder)
	return s
}

func (s *session) save(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.state, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// write puts a file of the page where the session is.
func (s *session) write(t *testing.T, path, text string) {
	t.Helper()
	here, err := os.ReadFile(filepath.Join(s.state, "folder"))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(strings.TrimSuffix(string(here), "\n"), path)
	if rel, err := filepath.Rel(filepath.Dir(s.folder), path); err != nil || strings.HasPrefix(rel, "..") {
		t.Fatalf("%s would be written outside of the session's folders", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func (s *session) run(t *testing.T, page string, c command) bool {
	t.Helper()
	line := c.line
	if i := slices.IndexFunc(standIns, func(s standIn) bool { return s.command == c.line }); i >= 0 {
		if line = standIns[i].script; line == "" {
			return true
		}
	}
	script := fmt.Sprintf(". %[1]s/variables; cd \"$(cat %[1]s/folder)\" || exit\n%[2]s\nstatus=$?\npwd >%[1]s/folder; export -p >%[1]s/variables\nexit $status\n", s.state, line)
	shell := exec.CommandContext(t.Context(), "sh", "-c", script)
	shell.Env = []string{"PATH=" + os.Getenv("PATH")}
	shell.WaitDelay = time.Minute // for a worker that outlives its program
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	err := shell.Run()
	got := strings.TrimRight(out.String(), "\n")
	want := strings.TrimRight(strings.Join(c.output, "\n"), "\n")
	if err != nil && !strings.Contains(want, "exit status ") {
		t.Errorf("%s:%d: %s: %v\n%s", page, c.at, c.line, err, got)
		return false
	}
	if want != "" && !matches(got, want) {
		t.Errorf("%s:%d: %s\nprints\n%s\nthe page says\n%s", page, c.at, c.line, got, want)
		return false
	}
	return true
}

// matches compares what was printed with what the page says.
func matches(got, want string) bool {
	parts := strings.Split(want, "…")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(got)
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		got, want string
		match     bool
	}{
		{"a\nb", "a\nb", true},
		{"a\nb\nc", "a\n…\nc", true},
		{"took 3 ms", "took …", true},
		{"took 3 ms", "took", false},
		{"a\nb", "a", false},
		{"a.b", "a…b", true},
		{"axb", "a.b", false},
	} {
		if matches(c.got, c.want) != c.match {
			t.Errorf("%q against %q: %t", c.got, c.want, !c.match)
		}
	}
}
