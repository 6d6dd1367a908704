package enginetest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/doctor"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/gc"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

func init() { programs["tidy"] = tidy }

// tidy is a program that examines a root, and removes all calls in it.
func tidy(ctx context.Context) error {
	store, err := blob.Open(ctx, os.Getenv("MOPS_ROOT"))
	if err != nil {
		return err
	}
	defer store.Close()
	for _, line := range doctor.Examine(ctx, store, doctor.Options{Quick: true}).Lines {
		if line.Verdict == doctor.Fail {
			err = errors.Join(err, fmt.Errorf("%s: %s", line.Name, line.Found))
		}
	}
	report, gcErr := gc.Run(ctx, store, gc.Options{Calls: gc.Selection{Older: 1}, Remains: true, Delete: true})
	if report != nil {
		for _, problem := range report.Problems {
			err = errors.Join(err, fmt.Errorf("%+v", problem))
		}
	}
	return errors.Join(err, gcErr)
}

// Two people share a root that belongs to a group of theirs, each with a group of
// his own and a umask of which the other knows nothing. The kind of fault is that
// what one makes below the root, the other cannot use: he cannot write into a
// folder, read a file, remove, replace or take over. So each does all that can be
// done with what the other made.
func TestTwoUsers(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: two users on one root")
	}
	if os.Getuid() != 0 {
		t.Skip("left out: it takes root to be two users")
	}
	const group = 23400
	for _, root := range []fs.FileMode{0o770 | fs.ModeSetgid, 0o775} {
		for _, umasks := range [][2]int{{0o002, 0o002}, {0o022, 0o022}, {0o077, 0o022}, {0o077, 0o077}} {
			t.Run(fmt.Sprintf("%v, umasks %03o and %03o", root, umasks[0], umasks[1]), func(t *testing.T) {
				t.Parallel()
				share(t, root, group,
					enginetest.User{ID: 23456, Groups: []uint32{group}, Umask: umasks[0]},
					enginetest.User{ID: 23457, Groups: []uint32{group}, Umask: umasks[1]})
			})
		}
	}
}

func share(t *testing.T, mode fs.FileMode, group int, a, b enginetest.User) {
	place := t.TempDir()
	root, dir, source := filepath.Join(place, "root"), filepath.Join(place, "dir"), filepath.Join(place, "source")
	if err := cmp.Or(os.Mkdir(root, 0o700), os.Chown(root, 0, group), os.Chmod(root, mode),
		os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777), os.WriteFile(filepath.Join(dir, "tally"), nil, 0o600), os.Chmod(filepath.Join(dir, "tally"), 0o666),
		os.WriteFile(source, []byte("read by all"), 0o600), os.Chmod(source, 0o644)); err != nil {
		t.Fatal(err)
	}
	start := func(u enginetest.User, jobs Jobs, env ...string) *enginetest.Program {
		return enginetest.StartAs(t, u, place, "jobs", jobs, append(env, "MOPS_ROOT=file://"+root)...)
	}
	do := func(what string, u enginetest.User, jobs Jobs, outcome string, env ...string) {
		t.Helper()
		p := start(u, jobs, env...)
		p.Wait(patience)
		expect(t, p, jobs)
		for _, r := range reports(t, p) {
			if r.Kind == "" && string(r.Outcome) != outcome {
				t.Errorf("%s: call %d is %q", what, r.Index, r.Outcome)
			}
		}
		if t.Failed() {
			t.Fatalf("%s failed:\n%s", what, p.Stderr)
		}
	}
	jobs := func(name string) (all Jobs) {
		for _, on := range []string{"", "sub"} {
			all.Jobs = append(all.Jobs,
				Job{Work: Work{Name: name + on, Dir: dir, Write: 1000, Print: 1000, Sleep: time.Millisecond}, Read: source, On: on},
				Job{Work: Work{Name: name + "-fails" + on, Dir: dir, End: "fail"}, On: on})
		}
		return all
	}
	do("A computes", a, jobs("a"), "computed")
	do("B finds", b, jobs("a"), "hit")
	do("B computes", b, jobs("b"), "computed")
	do("A finds", a, jobs("b"), "hit")
	do("B refreshes", b, jobs("a"), "computed", "MOPS_REFRESH=1")
	do("A refreshes", a, jobs("a"), "computed", "MOPS_REFRESH=1")
	do("B finds again", b, jobs("a"), "hit")

	for _, on := range []string{"", "sub"} { // one waits for what the other computes
		work := Work{Name: "awaited" + on, Dir: dir, Gate: true}
		waited := Jobs{Jobs: []Job{{Work: work, On: on}}}
		holder := start(a, waited)
		enginetest.Eventually(t, patience, "A computes "+work.Name, func() bool { return counts(t, work.tally())[work.Name] == 1 })
		waiter := start(b, waited)
		if err := work.openGate(); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*enginetest.Program{holder, waiter} {
			p.Wait(patience)
			expect(t, p, waited)
		}
		if n := counts(t, work.tally())[work.Name]; n != 1 {
			t.Errorf("%s ran %d times", work.Name, n)
		}
	}

	work := Work{Name: "left", Dir: dir, Gate: true} // one dies, the other goes on
	left := Jobs{Jobs: []Job{{Work: work}}}
	holder := start(a, left)
	enginetest.Eventually(t, patience, "A computes what it leaves", func() bool { return counts(t, work.tally())["left"] == 1 })
	holder.Kill()
	if err := work.openGate(); err != nil {
		t.Fatal(err)
	}
	do("B takes over", b, left, "computed")

	var many Jobs // both make the same folders at one moment
	for i := range 50 {
		many.Jobs = append(many.Jobs, Job{Work: Work{Name: fmt.Sprint("many", i), Dir: dir}})
	}
	both := []*enginetest.Program{start(a, many), start(b, many)}
	for _, p := range both {
		p.Wait(patience)
		expect(t, p, many)
	}
	checkShared(t, root, mode, group)

	for _, u := range []enginetest.User{b, a} {
		p := enginetest.StartAs(t, u, place, "tidy", nil, "MOPS_ROOT=file://"+root)
		if code := p.Wait(patience); code != 0 {
			t.Fatalf("user %d cannot tidy up:\n%s", u.ID, p.Stderr)
		}
	}
	if calls, _ := filepath.Glob(filepath.Join(root, "mops1/*/*/*/*")); len(calls) > 0 {
		t.Errorf("there are left %s", calls)
	}
	for _, private := range []string{"cache", "state"} { // and nobody gets into what is his own
		path := filepath.Join(place, fmt.Sprint("home-", a.ID), private)
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

func checkShared(t *testing.T, root string, mode fs.FileMode, group int) {
	t.Helper()
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		info, err := d.Info()
		if err != nil {
			t.Fatal(err)
		}
		need := fs.FileMode(0o040)
		if d.IsDir() {
			need = 0o070 | mode&fs.ModeSetgid
		}
		if gid := int(info.Sys().(*syscall.Stat_t).Gid); gid != group || info.Mode()&need != need || info.Mode()&0o002 != 0 || !d.IsDir() && info.Mode()&0o222 != 0 {
			t.Errorf("%s has mode %v and group %d", strings.TrimPrefix(path, root), info.Mode(), gid)
		}
		return nil
	})
}
