package fileblob

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// The tests here put the root into the states that a process leaves behind when
// it is killed between two system calls.

// scene is a blob with a number of versions.
type scene struct {
	*testing.T
	*blob.Store
	s    *store
	path string
}

func newScene(t *testing.T, versions int) *scene {
	t.Helper()
	b := openTemp(t)
	sc := &scene{t, b, b.Driver().(*store), ""}
	sc.path, _ = sc.s.path("folder/key")
	for n := range versions {
		sc.put(fmt.Sprint(n))
	}
	return sc
}

func (sc *scene) put(data string) {
	sc.Helper()
	if _, err := sc.PutBytes(sc.Context(), "folder/key", []byte(data), blob.PutOptions{}); err != nil {
		sc.Fatal(err)
	}
}

func (sc *scene) newest() version {
	sc.Helper()
	f, err := find(sc.Context(), sc.path)
	if err != nil {
		sc.Fatal(err)
	}
	f.file.Close()
	return f.version
}

func (sc *scene) expect(data string) {
	sc.Helper()
	got, _, err := sc.ReadAll(sc.Context(), "folder/key", nil)
	if err != nil || string(got) != data {
		sc.Errorf("the blob holds %q, %v, and should hold %q", got, err, data)
	}
}

func (sc *scene) must(err error) {
	sc.Helper()
	if err != nil {
		sc.Fatal(err)
	}
}

func TestKilledBeforeThePointerWasRenamed(t *testing.T) {
	sc := newScene(t, 3)
	next := sc.newest().after()
	sc.must(os.WriteFile(next.at(sc.path), []byte("lost"), fileMode))
	sc.expect("2")
	sc.put("3")
	sc.expect("3")
	for n := range kept + 1 {
		sc.put(fmt.Sprint(n))
	}
	if _, err := os.Stat(next.at(sc.path)); !os.IsNotExist(err) {
		t.Errorf("what the killed process left is not removed: %v", err)
	}
}

func TestKilledBeforeTheFirstSwap(t *testing.T) {
	sc := newScene(t, 1)
	sc.must(os.Mkdir(versionsOf(sc.path), dirMode))
	sc.expect("0")
	sc.put("1")
	sc.expect("1")
}

func TestKilledWhileDeleting(t *testing.T) {
	sc := newScene(t, 30)
	old := sc.newest()
	sc.must(os.Remove(sc.path)) // and no more
	if _, err := sc.Stat(t.Context(), "folder/key"); !blob.Is(err, blob.NotFound) {
		t.Error(err)
	}
	for info, err := range sc.List(t.Context(), "", "") {
		t.Error("a deleted blob is listed:", info, err)
	}
	if _, err := sc.PutBytes(t.Context(), "folder/key", nil, blob.PutOptions{IfVersion: old.token()}); !blob.Is(err, blob.Mismatch) {
		t.Error(err)
	}
	sc.put("new")
	sc.expect("new")
	sc.put("newer")
	sc.expect("newer")
	if _, err := sc.PutBytes(t.Context(), "folder/key", nil, blob.PutOptions{IfVersion: old.token()}); !blob.Is(err, blob.Mismatch) {
		t.Error(err)
	}
	sc.must(sc.Delete(t.Context(), "folder/key"))
	if _, err := os.Stat(filepath.Dir(sc.path)); !os.IsNotExist(err) {
		t.Errorf("deleting has left something: %v", err)
	}
}

// TestLate: a process that decided to swap long ago, and comes now, is refused,
// and leaves nothing behind.
func TestLate(t *testing.T) {
	for _, first := range []int{1, 2, 3, 10} {
		for _, later := range []int{1, 2, kept - 1, kept, kept + 1, 3 * kept} {
			t.Run(fmt.Sprint(first, "+", later), func(t *testing.T) {
				sc := newScene(t, first)
				over := state{there: true, version: sc.newest()}
				for n := range later {
					sc.put(fmt.Sprint("later ", n))
				}
				before, _ := filepath.Glob(sc.path + "*/*/*")
				st, err := sc.s.stage(t.Context(), filepath.Dir(sc.path), strings.NewReader("late"), 4, false)
				sc.must(err)
				defer st.discard()
				if _, err := sc.s.publish(st, sc.path, over); err != mismatch {
					t.Errorf("the late swap gave %v", err)
				}
				sc.expect(fmt.Sprint("later ", later-1))
				after, _ := filepath.Glob(sc.path + "*/*/*")
				if strings.Join(before, "\n") != strings.Join(after, "\n") {
					t.Errorf("before, there were %q, and now %q", before, after)
				}
			})
		}
	}
}

// TestSpent: a file that lost a race can be published again, though Linux links
// an unnamed file only once.
func TestSpent(t *testing.T) {
	for _, versions := range []int{1, 5} {
		sc := newScene(t, versions)
		beaten := false
		body := readerFunc(func() {
			if !beaten {
				beaten = true
				sc.put("faster")
			}
		})
		if _, err := sc.Put(t.Context(), "folder/key", body, -1, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		sc.expect("slow")
		if v := sc.newest(); v.number != uint64(versions)+1 {
			t.Errorf("the newest version is %d, and should be %d", v.number, versions+1)
		}
	}
}

func TestVersionsDoNotPileUp(t *testing.T) {
	sc := newScene(t, 100)
	files, err := readNames(lifeOf(sc.path, sc.newest().life))
	sc.must(err)
	if len(files) > kept+2 { // and the pointer
		t.Errorf("after 100 versions, there are %d files: %q", len(files), files)
	}
	text := strings.Repeat("x", large)
	for range 3 {
		sc.put(text)
	}
	sc.expect(text)
	if files, err = readNames(lifeOf(sc.path, sc.newest().life)); err != nil || len(files) > keptLarge+2 {
		t.Errorf("of large versions, there are %d files: %q, %v", len(files), files, err)
	}
}

func TestPointerIsMissing(t *testing.T) {
	sc := newScene(t, 3)
	sc.must(os.Remove(sc.newest().pointer(sc.path)))
	_, err := sc.Stat(t.Context(), "folder/key")
	if !blob.Is(err, blob.Corrupt) || !strings.Contains(err.Error(), versionsOf(sc.path)) {
		t.Errorf("the error is %v", err)
	}
	sc.must(os.RemoveAll(versionsOf(sc.path)))
	sc.expect("0")
}

func TestSweep(t *testing.T) {
	sc := newScene(t, 1)
	sc.must(os.MkdirAll(filepath.Join(sc.s.tempDir(), "folder"), dirMode))
	sc.must(os.WriteFile(filepath.Join(sc.s.tempDir(), "folder", "file"), nil, 0o600))
	sc.must(os.WriteFile(filepath.Join(sc.s.tempDir(), "old"), nil, 0o600))
	sc.must(os.WriteFile(filepath.Join(sc.s.tempDir(), "young"), nil, 0o600))
	for name, age := range map[string]time.Duration{"folder": 25 * time.Hour, "old": 25 * time.Hour, "young": 23 * time.Hour} {
		then := time.Now().Add(-age)
		sc.must(os.Chtimes(filepath.Join(sc.s.tempDir(), name), then, then))
	}
	_, err := Open(sc.s.dir)
	sc.must(err)
	if left, err := readNames(sc.s.tempDir()); err != nil || len(left) != 1 || left[0] != "young" {
		t.Errorf("there are left %q, %v", left, err)
	}
}

// readerFunc is the body "slow", which does something at its first byte.
func readerFunc(do func()) *slowReader { return &slowReader{do: do, rest: *strings.NewReader("slow")} }

type slowReader struct {
	do   func()
	rest strings.Reader
}

func (r *slowReader) Read(p []byte) (int, error) {
	r.do()
	return r.rest.Read(p)
}

// TestDeletedWhileReading: a reader that has opened version 0 when the blob is
// deleted does not take it for the newest, though nothing newer is left.
func TestDeletedWhileReading(t *testing.T) {
	for _, versions := range []int{1, 3} {
		sc := newScene(t, versions)
		base, err := openBlob(sc.path)
		sc.must(err)
		sc.must(sc.Delete(t.Context(), "folder/key"))
		if _, _, err := latest(sc.path, base); err != notFound {
			t.Errorf("of %d versions, one was found: %v", versions, err)
		}
	}
	sc := newScene(t, 3)
	base, err := openBlob(sc.path)
	sc.must(err)
	a, err := statOf(base)
	sc.must(err)
	sc.must(sc.Delete(t.Context(), "folder/key"))
	sc.put("new") // and there are versions of another life
	sc.put("newer")
	if _, again, err := later(sc.path, found{file: base, version: version{life: a.identity}}); !again || err != nil {
		t.Errorf("the versions of an ended life gave %v", err)
	}
}

// TestIdentitiesDoNotRecur: two files that get the same inode, one after the
// other, within one tick of the clock, still have different identities.
func TestIdentitiesDoNotRecur(t *testing.T) {
	sc := newScene(t, 0)
	st, err := sc.s.newStaged(sc.s.dir)
	sc.must(err)
	defer st.discard()
	sc.must(st.date())
	for range 20 {
		before := st.identity
		sc.must(st.setTime(time.Now().Truncate(time.Second))) // the clock stands still
		a, err := statOf(st.file)
		sc.must(err)
		sc.must(st.date())
		if st.identity == before || st.mtime > a.mtime || st.mtime < a.mtime-int64(time.Millisecond) {
			t.Fatalf("after %+v came %+v, at %d", before, st.identity, a.mtime)
		}
	}
}

// TestLateForALife: if the blob was deleted meanwhile, and written again, a
// swap is refused, and leaves nothing behind.
func TestLateForALife(t *testing.T) {
	for _, versions := range []int{1, 3} {
		sc := newScene(t, versions)
		over := state{there: true, version: sc.newest()}
		sc.must(sc.Delete(t.Context(), "folder/key"))
		sc.put("new")
		st, err := sc.s.stage(t.Context(), filepath.Dir(sc.path), strings.NewReader("late"), 4, false)
		sc.must(err)
		defer st.discard()
		if _, err := sc.s.publish(st, sc.path, over); err != mismatch {
			t.Errorf("over version %d, the late swap gave %v", over.version.number, err)
		}
		sc.expect("new")
		if exists(versionsOf(sc.path)) {
			t.Errorf("over version %d, the late swap has left %s", over.version.number, versionsOf(sc.path))
		}
	}
}

// TestFolderIsBeingRemoved: errors that come from a folder being removed are
// not final.
func TestFolderIsBeingRemoved(t *testing.T) {
	s := newScene(t, 0).s
	for _, passing := range []error{syscall.EPERM, syscall.ENOENT} {
		tries := 0
		err := s.withFolder(s.dir, func() error {
			if tries++; tries < 3 {
				return passing
			}
			return nil
		})
		if err != nil {
			t.Errorf("after %v: %v", passing, err)
		}
		if err := s.withFolder(s.dir, func() error { return passing }); err != passing {
			t.Errorf("%v for ever gave %v", passing, err)
		}
	}
}
