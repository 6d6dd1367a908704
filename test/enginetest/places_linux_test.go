package enginetest_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// mount mounts a small file system, until the test ends.
func mount(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a file system of its own cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Nothing is written into the current folder, so that it need not be writable.
func TestCurrentFolderNotWritable(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	jobs := Jobs{Jobs: []Job{
		{Work: Work{Name: "a", Dir: place, Write: 1000}},
		{Work: Work{Name: "b", Dir: place, Write: 1000}, On: "sub"},
	}}
	p := enginetest.StartIn(t, "/proc", place, "jobs", jobs, rootVariable("file", place))
	if code := p.Wait(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	expect(t, p, jobs)
}

// A root that may not be written gives an error that says so and what to do; and
// it gives its results.
func TestRootNotWritable(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: waits for a root to come back")
	}
	t.Parallel()
	place, root := t.TempDir(), mount(t, "size=10m")
	variable := "MOPS_ROOT=file://" + root
	known := Jobs{Jobs: []Job{{Work: Work{Name: "a", Dir: place}, On: "sub"}}}
	enginetest.Start(t, place, "jobs", known, variable).Wait(patience)
	if err := unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	p := enginetest.Start(t, place, "jobs", known, variable)
	p.Wait(patience)
	expect(t, p, known)
	for _, on := range []string{"", "sub"} {
		p := enginetest.Start(t, place, "jobs", Jobs{Jobs: []Job{{Work: Work{Name: "b", Dir: place}, On: on}}}, variable)
		p.Wait(patience)
		all := reports(t, p)
		if len(all) != 1 || all[0].Kind != "blob permission denied" || !strings.Contains(all[0].Error, "MOPS_READ_ONLY") {
			t.Errorf("got %+v", all)
		}
	}
	unknown := Jobs{Jobs: []Job{{Work: Work{Name: "c", Dir: place}}}}
	p = enginetest.Start(t, place, "jobs", unknown, variable, "MOPS_READ_ONLY=1")
	p.Wait(patience)
	expect(t, p, unknown)
}

// A disk that becomes full in the middle, and stays so, fails calls with errors
// that say so, when the patience of a minute is over; all of them wait at one time.
// What could be stored is sound, nothing half is left, and when there is room
// again, so are the calls.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: waits for room on a disk")
	}
	t.Parallel()
	for _, on := range []string{"in20", "sub20"} {
		t.Run("on "+on, func(t *testing.T) {
			t.Parallel()
			const room = 4 << 20
			place, root := t.TempDir(), mount(t, "size=4m")
			variable := "MOPS_ROOT=file://" + root
			var jobs Jobs
			for i := range 12 {
				jobs.Jobs = append(jobs.Jobs, Job{Work: Work{Name: string(rune('a' + i)), Dir: place, Write: 700_000}, On: on})
			}
			p := enginetest.Start(t, place, "jobs", jobs, variable)
			p.Wait(8 * time.Minute) // workers, the logs of their runs and the leases wait for a minute each
			kinds, sound := map[string]int{}, 0
			for _, r := range reports(t, p) {
				kinds[r.Kind]++
				switch want, _ := jobs.Jobs[r.Index].Work.expected(""); {
				case r.Kind == "" && r.Text == want:
					sound++
				case r.Kind == "":
					t.Errorf("a wrong result: %+v", r)
				case !strings.Contains(r.Error, "no space left on device"):
					t.Errorf("an error that does not say that the disk is full: %+v", r)
				}
			}
			t.Logf("of %d calls %d succeeded: %v", len(jobs.Jobs), sound, kinds)
			if sound == 0 || sound > room/700_000 {
				t.Errorf("%d calls succeeded", sound)
			}
			checkNothingHalf(t, root)

			if err := unix.Mount("", root, "", unix.MS_REMOUNT, "size=40m"); err != nil {
				t.Fatal(err)
			}
			again := enginetest.Start(t, place, "jobs", jobs, variable)
			again.Wait(patience)
			expect(t, again, jobs)
			hits := 0
			for _, r := range reports(t, again) {
				if r.Outcome == "hit" {
					hits++
				}
			}
			if hits != sound {
				t.Errorf("%d calls succeeded on the full disk, and %d were found", sound, hits)
			}
		})
	}
}

// checkNothingHalf checks that all results of a root are sound, and that no
// parts of blobs lie around.
func checkNothingHalf(t *testing.T, root string) {
	t.Helper()
	ctx := context.Background()
	store, err := blob.Open(ctx, "file://"+root)
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range store.List(ctx, "mops1/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if call, err := memokey.Parse(info.Key); err != nil || call.Rest != "result" {
			continue
		}
		data, _, err := store.ReadAll(ctx, info.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := record.Open(record.KindResult, data); err != nil {
			t.Errorf("%s: %v", info.Key, err)
		}
	}
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.Contains(path, ".mops-tmp") {
			if info, err := os.Stat(path); err == nil && info.Size() > 0 {
				t.Errorf("left behind: %s with %d bytes", path, info.Size())
			}
		}
		return nil
	})
}

// The disk is full when functions end, for longer than it is tried as a rule.
func TestDiskFullAtTheEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: waits for room on a disk")
	}
	t.Parallel()
	full := 5 * time.Second
	if soak {
		full = 50 * time.Second // less than the least patience
	}
	disk, place := mount(t, "size=8m"), t.TempDir()
	var jobs Jobs
	for _, on := range []string{"in8", "sub"} {
		for _, name := range []string{"returns", "returns a file", "fails"} {
			w := Work{Name: strings.ReplaceAll(name+" "+on, " ", "-"), Dir: place, Gate: true, Print: 1000}
			outages[name](&w)
			jobs.Jobs = append(jobs.Jobs, Job{Work: w, On: on})
		}
	}
	tally := enginetest.Tally{Dir: place}
	root := "MOPS_ROOT=file://" + disk + "/root"
	p := enginetest.Start(t, place, "jobs", jobs, root)
	enginetest.Eventually(t, patience, "all functions run", func() bool { return len(counts(t, tally)) == len(jobs.Jobs) })
	if err := fill(filepath.Join(disk, "fill")); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for _, job := range jobs.Jobs {
		if err := job.Work.openGate(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-p.Done():
	case <-time.After(full):
	}
	if err := os.Remove(filepath.Join(disk, "fill")); err != nil {
		t.Fatal(err)
	}
	if code := p.Wait(patience); code != 0 {
		t.Errorf("the program ended with %d", code)
	}
	expect(t, p, jobs)
	again := enginetest.Start(t, place, "jobs", jobs, root, "MOPS_KEEP_ERRORS=1")
	again.Wait(patience)
	expect(t, again, jobs)
	for name, n := range counts(t, tally) {
		if n != 1 {
			t.Errorf("%s ran %d times; standard error:\n%s", name, n, p.Stderr)
		}
	}
}

// fill writes a file until there is no room for a byte more.
func fill(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	for block := make([]byte, 4<<10); ; {
		if _, err := file.Write(block); err != nil {
			return err
		}
	}
}
