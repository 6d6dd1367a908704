package cluster

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// A cluster of its own, beside that of the other tests.
func TestStopLeavesNothing(t *testing.T) {
	Real(t)
	c := startIn(t, slots-2)
	dir := c.slot.dir
	if strings.Contains(mountinfo(t), dir) {
		t.Errorf("the cluster mounts something on the machine")
	}
	if !c.slot.hasLink() {
		t.Error("it has no link to the machine")
	}
	programs := identities(t, dir)
	if len(programs) != 7 {
		t.Errorf("%d programs run: %v", len(programs), programs)
	}
	// What was stopped and goes on ends like the others, as the kubelet of a node that falls
	// silent. This program has but one thread, so that it stops at once.
	if err := c.runCommand("one", c.command("sh", "-c", "echo begins; sleep 600")); err != nil {
		t.Fatal(err)
	}
	one := c.daemons["one"]
	enginetest.Eventually(t, time.Minute, "it runs", func() bool { return len(one.tail()) > 0 })
	for range 5 {
		if err := one.id.SignalGroup(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		enginetest.Eventually(t, time.Minute, "it stands still", func() bool { return standStill(t, one.id.PID) == 2 })
		time.Sleep(50 * time.Millisecond) // a parent may see that its child stands still,
		if err := one.id.SignalGroup(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // and do so itself, now
		enginetest.Eventually(t, time.Minute, "it goes on", func() bool { return standStill(t, one.id.PID) == 0 })
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	checkNothing(t, c.slot, programs)
}

// standStill is how many of a process and its child are stopped by a signal.
func standStill(t *testing.T, pid int) (n int) {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(strings.Fields(string(children)), fmt.Sprint(pid)) {
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(status), "\nState:\tT") {
			n++
		}
	}
	return n
}

// The kernel ends the programs of a killed process; the next that takes the slot
// removes what else it left.
func TestKilledLeavesNothing(t *testing.T) {
	if os.Getenv("MOPS_TEST_CLUSTER") != "" {
		fmt.Println("\nslot", startIn(t, slots-1).slot.number)
		select {}
	}
	Real(t)
	command := exec.Command(os.Args[0], "-test.run=^TestKilledLeavesNothing$")
	command.Env = append(os.Environ(), "MOPS_TEST_CLUSTER=1")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	number, said := -1, ""
	for lines := bufio.NewScanner(out); number < 0 && lines.Scan(); said += lines.Text() + "\n" {
		fmt.Sscanf(lines.Text(), "slot %d", &number)
	}
	s := &slot{number: number, dir: filepath.Join(Folder(), fmt.Sprint(number))}
	programs := identities(t, s.dir)
	command.Process.Kill()
	command.Wait()
	if number < 0 || len(programs) != 7 {
		t.Fatalf("%d programs ran; it said\n%s", len(programs), said)
	}
	if err := s.take(); err != nil {
		t.Fatal(err)
	}
	if err := s.release(); err != nil {
		t.Fatal(err)
	}
	checkNothing(t, s, programs)
}

// startIn starts a cluster in a slot that others take last.
func startIn(t *testing.T, first int) *Cluster {
	t.Helper()
	defer func(before int) { firstSlot = before }(firstSlot)
	firstSlot = first
	c, err := StartReal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func checkNothing(t *testing.T, s *slot, programs []process.Identity) {
	t.Helper()
	for _, id := range programs {
		if alive, known := id.Alive(); alive || !known {
			t.Errorf("process %d runs", id.PID)
		}
	}
	groups, err := s.cgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(groups, s.dir) {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is there (%v)", path, err)
		}
	}
	if s.hasLink() {
		t.Errorf("the link %s is there", s.name())
	}
	if strings.Contains(mountinfo(t), s.dir) {
		t.Errorf("something is mounted in %s", s.dir)
	}
}

// identities are those of the programs in a slot's folder.
func identities(t *testing.T, dir string) []process.Identity {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(dir, "*.pid"))
	var ids []process.Identity
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		id, err := process.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func mountinfo(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
