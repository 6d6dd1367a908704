package subprocess

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// oomKills is the kernel's count of processes that it killed for want of
// memory, in the widest scope that this process can see: its cgroup, else the
// machine.
type oomKills struct {
	source string
	count  uint64
}

// countOOMKills reads the counter. A worker lives in the cgroup of the process
// that started it. The kernel's cgroup-v2.rst (memory.events) and
// cgroup-v1/memory.rst (memory.oom_control), and proc(5), describe the files.
func countOOMKills() oomKills {
	cgroups, _ := os.ReadFile("/proc/self/cgroup")
	return countOOMKillsIn("/", string(cgroups))
}

func countOOMKillsIn(root, cgroups string) oomKills {
	for _, file := range oomFiles(cgroups) {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		if count, ok := field(content, "oom_kill"); ok {
			return oomKills{"/" + file, count}
		}
	}
	return oomKills{}
}

// oomFiles lists where the counter may be, the best first. In a container the
// paths of cgroups may be the host's, which are not there.
func oomFiles(cgroups string) []string {
	var v1, v2 []string
	for line := range strings.Lines(cgroups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0" && parts[1] == "":
			v2 = append(v2, filepath.Join("sys/fs/cgroup", parts[2], "memory.events"), "sys/fs/cgroup/memory.events")
		case parts[1] == "memory":
			v1 = append(v1, filepath.Join("sys/fs/cgroup/memory", parts[2], "memory.oom_control"), "sys/fs/cgroup/memory/memory.oom_control")
		}
	}
	return append(append(v1, v2...), "proc/vmstat")
}

func field(content []byte, key string) (uint64, bool) {
	for line := range bytes.Lines(content) {
		if name, number, ok := bytes.Cut(line, []byte(" ")); ok && string(name) == key {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(number)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// since says what the kernel did since an earlier count; "" if nothing.
func (k oomKills) since(earlier oomKills) string {
	if k.source == "" || k.source != earlier.source || k.count <= earlier.count {
		return ""
	}
	return "the kernel's out-of-memory killer was at work (oom_kill in " + k.source + " rose)"
}
