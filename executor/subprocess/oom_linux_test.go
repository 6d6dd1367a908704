package subprocess

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCountOOMKills(t *testing.T) {
	const events = "low 0\nhigh 3\nmax 10\noom 4\noom_kill 2\noom_group_kill 0\n"
	const control = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"
	const vmstat = "nr_free_pages 1\noom_kill 7\nfoo 9\n"
	for name, c := range map[string]struct {
		cgroups string
		files   map[string]string
		source  string
		count   uint64
	}{
		"version 2": {
			"0::/system.slice/a b.service\n",
			map[string]string{"sys/fs/cgroup/system.slice/a b.service/memory.events": events, "proc/vmstat": vmstat},
			"/sys/fs/cgroup/system.slice/a b.service/memory.events", 2,
		},
		"version 2 in a container": {
			"0::/docker/1234\n",
			map[string]string{"sys/fs/cgroup/memory.events": events, "proc/vmstat": vmstat},
			"/sys/fs/cgroup/memory.events", 2,
		},
		"version 1": {
			"9:cpu:/x\n4:memory:/x/y\n0::/\n",
			map[string]string{"sys/fs/cgroup/memory/x/y/memory.oom_control": control, "proc/vmstat": vmstat},
			"/sys/fs/cgroup/memory/x/y/memory.oom_control", 5,
		},
		"version 1 in a container": {
			"4:memory:/docker/1234\n",
			map[string]string{"sys/fs/cgroup/memory/memory.oom_control": control, "proc/vmstat": vmstat},
			"/sys/fs/cgroup/memory/memory.oom_control", 5,
		},
		"no cgroup": {"0::/\n", map[string]string{"proc/vmstat": vmstat}, "/proc/vmstat", 7},
		"an old kernel's cgroup": {
			"4:memory:/\n",
			map[string]string{"sys/fs/cgroup/memory/memory.oom_control": "under_oom 0\n", "proc/vmstat": vmstat},
			"/proc/vmstat", 7,
		},
		"nothing": {"", nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, content := range c.files {
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := countOOMKillsIn(root, c.cgroups); got != (oomKills{c.source, c.count}) {
				t.Errorf("got %+v, want %d in %s", got, c.count, c.source)
			}
		})
	}
}

func TestOOMKillsSince(t *testing.T) {
	before := oomKills{"/a", 3}
	if words := (oomKills{"/a", 4}).since(before); !strings.Contains(words, "/a") {
		t.Errorf("a rise is told as %q", words)
	}
	for _, now := range []oomKills{{"/a", 3}, {"/b", 9}, {"", 0}} {
		if words := now.since(before); words != "" {
			t.Errorf("%+v after %+v is told as %q", now, before, words)
		}
	}
	if countOOMKills().source == "" {
		t.Error("this machine has no counter")
	}
}
