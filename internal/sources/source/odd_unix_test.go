//go:build unix

package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile/openfiletest"
)

// The kind of fault is to wait for ever for something that is not a regular
// file. If a user names such a thing as a source, it is refused at once, in
// words.
func TestOddSources(t *testing.T) {
	f, store := newFiles(t), localStore(t)
	for kind := range openfiletest.Odd {
		dir := t.TempDir()
		path := filepath.Join(dir, "odd")
		for name, ref := range map[string]func() *Ref{
			"File":      func() *Ref { return File(path) },
			"Dir":       func() *Ref { return Dir(path) },
			"in a Dir":  func() *Ref { return Dir(dir) },
			"At":        func() *Ref { return At("file://" + path) },
			"FileAt":    func() *Ref { return FileAt(path, "file://"+dir+"/to") },
			"At, below": func() *Ref { return At("file://" + path + "/below") },
		} {
			openfiletest.Put(t, path, kind)
			_, err := openfiletest.Soon(t, name+" of a "+kind, func() (any, error) {
				refs := []*Ref{ref()}
				err := f.Resolve(t.Context(), refs)
				if err == nil {
					_, err = f.Upload(t.Context(), store, refs, 0)
				}
				return nil, err
			})
			fine := kind == "folder" && (strings.HasSuffix(name, "Dir") || name == "At") // which is empty, or has an empty one
			if fine != (err == nil) || err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("%s of a %s: %v", name, kind, err)
			}
			_, err = openfiletest.Soon(t, "opening "+name+" of a "+kind, func() (any, error) {
				file, err := ref().Open(t.Context())
				if err == nil {
					file.Close()
				}
				return nil, err
			})
			if err == nil {
				t.Errorf("%s of a %s was opened", name, kind)
			}
		}
	}
}

// An odd thing in the cache or among the remembered hashes costs a download or
// a hash, and is removed.
func TestOddThingsInTheCache(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "one"), "content")
	write(t, filepath.Join(dir, "sub/empty"), "")
	for kind := range openfiletest.Odd {
		for _, place := range []string{"file", "folder"} {
			for _, suffix := range []string{"", localcache.PartSuffix, ".used", "hashes"} {
				what := kind + " as " + place + suffix
				store, f := remoteStore(t), newFiles(t)
				ref, want := File(filepath.Join(dir, "sub/empty")), ""
				if place == "folder" {
					ref, want = Dir(dir), "content"
				}
				r := asArgument(t, f, store, ref)
				path := f.cachePath(r.Hash())
				if place == "folder" {
					path = f.treePath(r.Hash())
				}
				if suffix == "hashes" {
					path = f.hashes.Memory
				} else {
					path += suffix
				}
				openfiletest.Put(t, path, kind)
				got, err := openfiletest.Soon(t, what, func() (string, error) {
					fresh := newFilesWith(t, Options{CacheDir: f.cache.Dir, CacheSize: 1 << 30, StateDir: filepath.Dir(f.hashes.Memory)})
					defer fresh.Close()
					r := asArgument(t, fresh, store, ref)
					path, err := r.Path(t.Context())
					if err == nil && place == "folder" {
						path = filepath.Join(path, "one")
					}
					if err != nil {
						return "", err
					}
					data, err := os.ReadFile(path)
					fresh.cache.Sweep()
					return string(data), err
				})
				if err != nil || got != want {
					t.Errorf("%s: %q, %v", what, got, err)
				}
			}
		}
	}
}
