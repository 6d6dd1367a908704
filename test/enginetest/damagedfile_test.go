//go:build linux || darwin

package enginetest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// flip changes one byte of each file of a root whose path contains a text, as a
// bad disk or a person does: time and name remain plausible.
func flip(t *testing.T, place, containing string) (flipped int) {
	t.Helper()
	err := filepath.WalkDir(place+"/root", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, containing) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			return err
		}
		data = bytes.Clone(data)
		data[len(data)/2] ^= 4
		if err := os.Chmod(path, 0o644); err != nil {
			return err
		}
		flipped++
		return os.WriteFile(path, data, 0o444)
	})
	if err != nil {
		t.Fatal(err)
	}
	return flipped
}

// The bytes of files are known by their hash: damaged ones are never read as
// what they were. An input is put again from where it came from; a result whose
// file is damaged is computed again or refused.
func TestDamagedFiles(t *testing.T) {
	for _, on := range []string{"", "sub"} {
		for _, damage := range []string{"mops1-blobs/", "/out/"} {
			t.Run(strings.Trim(damage, "/")+" on "+on, func(t *testing.T) {
				t.Parallel()
				place := t.TempDir()
				file := filepath.Join(place, "file")
				if err := os.WriteFile(file, bytes.Repeat([]byte("content of a file\n"), 1000), 0o644); err != nil {
					t.Fatal(err)
				}
				first := Jobs{Jobs: []Job{{Work: Work{Name: "a", Dir: place, Write: 10_000}, Read: file, On: on}}}
				p := enginetest.Start(t, place, "jobs", first, rootVariable("file", place))
				p.Wait(patience)
				expect(t, p, first)

				time.Sleep(10 * time.Millisecond) // for file systems with coarse times
				if flip(t, place, damage) == 0 {
					t.Fatal("there was nothing to damage")
				}
				second := first
				second.Turns = true
				if damage == "mops1-blobs/" {
					second.Jobs = append(second.Jobs, Job{Work: Work{Name: "b", Dir: place}, Read: file, On: on})
				}
				p = enginetest.Start(t, place, "jobs", second, rootVariable("file", place))
				p.Wait(patience)
				for _, r := range reports(t, p) {
					job := second.Jobs[r.Index]
					want, _ := job.Work.expected(job.Read)
					switch {
					case r.Error != "":
						t.Logf("%s is refused: %s", job.Work.Name, r.Error)
					case r.Text != want:
						t.Errorf("%s: got %q, want %q", job.Work.Name, r.Text, want)
					default:
						t.Logf("%s is right (%s)", job.Work.Name, r.Outcome)
					}
				}
			})
		}
	}
}
