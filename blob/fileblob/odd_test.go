//go:build unix

package fileblob

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile/openfiletest"
)

// TestOddThings: the kind of fault is that an operation waits or retries for
// ever because a path has no regular file. It once was a pipe named as a
// record, which even Ctrl-C did not end, and a link that leads nowhere, which
// is missing to a reader and present to a writer. So whatever lies in whichever
// place, each operation ends soon, and either does what it should or says what
// lies at which path; and when that is gone, all is well.
func TestOddThings(t *testing.T) {
	places := map[string]func(sc *scene) string{
		"the blob":            func(sc *scene) string { return sc.path },
		"a later version":     func(sc *scene) string { return sc.newest().at(sc.path) },
		"the life's versions": func(sc *scene) string { return lifeOf(sc.path, sc.newest().life) },
		"the versions":        func(sc *scene) string { return versionsOf(sc.path) },
		"the folder":          func(sc *scene) string { return filepath.Dir(sc.path) },
		"temporary files":     func(sc *scene) string { return sc.s.tempDir() },
		"the root":            func(sc *scene) string { return sc.s.dir },
	}
	for place, at := range places {
		for kind := range openfiletest.Odd {
			for _, versions := range []int{1, 3} {
				t.Run(place+"/"+kind, func(t *testing.T) {
					sc := newScene(t, versions)
					sc.s.named.Store(true)
					path := at(sc)
					openfiletest.Put(t, path, kind)
					operate(t, sc, path)
					os.RemoveAll(path) // and what was put into the folder
					sc.put("after")
					sc.expect("after")
				})
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// operate tries every operation of a store, in a root with something odd at a
// path.
func operate(t *testing.T, sc *scene, odd string) {
	ctx, key := t.Context(), "folder/key"
	var info blob.Info
	put := func(s *blob.Store, opts blob.PutOptions) error {
		_, err := s.PutBytes(ctx, key, []byte("new"), opts)
		if err != nil {
			return err
		}
		data, _, err := s.ReadAll(ctx, key, nil)
		if err != nil || string(data) != "new" {
			t.Errorf("what was put is read as %q, %v", data, err)
		}
		return nil
	}
	steps := []struct {
		name string
		do   func(s *blob.Store) error
	}{
		{"stat", func(s *blob.Store) (err error) { info, err = s.Stat(ctx, key); return err }},
		{"read", func(s *blob.Store) error { _, _, err := s.ReadAll(ctx, key, nil); return err }},
		{"get", func(s *blob.Store) error {
			body, _, err := s.Get(ctx, key, blob.Range{})
			if err == nil {
				_, err = io.Copy(io.Discard, body)
				body.Close()
			}
			return err
		}},
		{"path", func(s *blob.Store) error { _, _, err := s.LocalPath(ctx, key); return err }},
		{"list", func(s *blob.Store) error {
			for _, err := range s.List(ctx, "", "") {
				if err != nil {
					return err
				}
			}
			for _, err := range s.List(ctx, key+"/", "") {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"clock", func(s *blob.Store) error { _, _, err := s.Now(ctx); return err }},
		{"put if absent", func(s *blob.Store) error { return put(s, blob.PutOptions{IfAbsent: true}) }},
		{"put if version", func(s *blob.Store) error { return put(s, blob.PutOptions{IfVersion: info.Version}) }},
		{"put", func(s *blob.Store) error { return put(s, blob.PutOptions{Durable: true}) }},
		{"delete", func(s *blob.Store) error { return s.Delete(ctx, key) }},
	}
	for _, step := range steps {
		_, err := openfiletest.Soon(t, step.name, func() (any, error) {
			s, err := Open(sc.s.dir)
			if err != nil {
				return nil, err
			}
			s.Driver().(*store).named.Store(true)
			return nil, step.do(s)
		})
		reading := !strings.HasPrefix(step.name, "put")
		switch {
		case err == nil, reading && blob.Is(err, blob.NotFound):
		case step.name != "put" && (blob.Is(err, blob.Exists) || blob.Is(err, blob.Mismatch)):
		case !strings.Contains(err.Error(), odd) && !strings.Contains(err.Error(), versionsOf(sc.path)+" "), !strings.Contains(err.Error(), "remove"):
			t.Errorf("%s: the error does not name %s, or not what to do: %v", step.name, odd, err)
		case blob.Is(err, blob.NotFound), blob.Is(err, blob.Other):
			t.Errorf("%s: of kind %v: %v", step.name, blob.KindOf(err), err)
		}
	}
}

// TestLinksAreFollowed: a symbolic link to a file, or to a folder, works like
// its target, wherever it lies.
func TestLinksAreFollowed(t *testing.T) {
	for _, versions := range []int{1, 3} {
		sc := newScene(t, versions)
		want := string(must(os.ReadFile(sc.newest().at(sc.path))))
		for _, path := range []string{sc.newest().at(sc.path), filepath.Dir(sc.path)} {
			elsewhere := filepath.Join(t.TempDir(), "it")
			if info := must(os.Stat(path)); info.IsDir() || versions > 1 {
				sc.must(os.Rename(path, elsewhere))
				sc.must(os.Symlink(elsewhere, path))
			}
			sc.expect(want)
		}
	}
}
