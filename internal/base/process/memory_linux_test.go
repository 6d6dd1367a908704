package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A process does not take over the memory of the one that started it.
func TestPeakIsItsOwn(t *testing.T) {
	if os.Getenv("TEST_PEAK") != "" {
		_, usage := Usage()
		os.Stdout.WriteString(strconv.FormatInt(Peak(), 10) + " " + strconv.FormatInt(usage, 10) + "\n")
		os.Exit(0)
	}
	const large = 200 << 20
	memory := make([]byte, large)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	child := exec.Command(os.Args[0], "-test.run=^TestPeakIsItsOwn$")
	child.Env = append(os.Environ(), "TEST_PEAK=1")
	out, err := child.Output()
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(out), " ")
	peak, err := strconv.ParseInt(text, 10, 64)
	if own := Peak(); err != nil || peak <= 0 || peak > large/2 || own < large {
		t.Errorf("the child had %d bytes (%q), this process %d: %v", peak, out, own, err)
	}
	if memory[4096] != 1 {
		t.Error("it was not used")
	}
}

// What a control group says.
func TestContainerPeak(t *testing.T) {
	const own = 100
	for name, c := range map[string]struct {
		group      string // of the process
		at         string // where its files are
		peak, stat string
		want       int64
	}{
		"less the cache":                        {"0::/\n", "", "1000\n", "anon 10\nfile 300\nshmem 0\nfile_mapped 5\n", 700},
		"files in memory only are no cache":     {"0::/\n", "", "1000\n", "file 300\nshmem 200\n", 900},
		"more cache than there was":             {"0::/\n", "", "1000\n", "file 5000\nshmem 0\n", own},
		"less than its processes had":           {"0::/\n", "", "1000\n", "file 950\nshmem 0\n", own},
		"less than a process had, in all":       {"0::/\n", "", "90\n", "file 0\n", 90},
		"no statistics":                         {"0::/\n", "", "1000\n", "", 1000},
		"a path of its own":                     {"0::/pods/a\n", "pods/a", "1000\n", "file 1\n", 999},
		"the host's path":                       {"0::/pods/a\n", "", "1000\n", "file 1\n", 999},
		"beside version 1":                      {"4:memory:/x\n0::/\n", "", "1000\n", "file 1\n", 999},
		"version 1":                             {"4:memory:/x\n", "elsewhere", "1000\n", "", own},
		"an old kernel":                         {"0::/\n", "", "", "file 1\n", own},
		"nonsense":                              {"0::/\n", "", "max\n", "file 1\n", own},
		"negative":                              {"0::/\n", "", "-5\n", "file -1\n", own},
		"nothing is known of its control group": {"", "elsewhere", "", "", own},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write := func(path, content string) {
				t.Helper()
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("proc/self/cgroup", c.group)
			for file, content := range map[string]string{"memory.peak": c.peak, "memory.stat": c.stat} {
				if content != "" {
					write(filepath.Join("sys/fs/cgroup", c.at, file), content)
				}
			}
			if got := containerPeak(root, own); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

// A container uses what its control group says, without what the kernel has cached,
// and never less than this process.
func TestContainerInUse(t *testing.T) {
	process := Use{CPU: 3 * time.Second, Memory: 100, Swapped: 5}
	for name, c := range map[string]struct {
		files map[string]string
		want  Use
	}{
		"all of it": {map[string]string{
			"memory.current": "1000\n", "memory.stat": "file 300\nshmem 50\n", "memory.swap.current": "40\n", "cpu.stat": "usage_usec 7000000\n",
		}, Use{7 * time.Second, 750, 40}},
		"memory alone":              {map[string]string{"memory.current": "1000\n"}, Use{3 * time.Second, 1000, 0}},
		"less than its process has": {map[string]string{"memory.current": "90\n"}, Use{3 * time.Second, 100, 0}},
		"no control group":          {nil, process},
		"nonsense":                  {map[string]string{"memory.current": "max\n"}, process},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, text := range c.files {
				path := filepath.Join(root, "sys/fs/cgroup", file)
				os.MkdirAll(filepath.Dir(path), 0o777)
				if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if got := containerInUse(root, process); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestInUse(t *testing.T) {
	if use := InUse(); use.CPU <= 0 || use.Memory < 1<<20 {
		t.Errorf("this process uses %v", use)
	}
}
