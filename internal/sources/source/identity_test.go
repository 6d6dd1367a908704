package source

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The encoding is part of memo keys: it must not change.
func TestIdentityGolden(t *testing.T) {
	f := newFiles(t)
	r := File(tempFile(t, "hello"))
	if _, err := r.MarshalCBOR(); err == nil {
		t.Fatal("encoded before its content was known")
	}
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	// {"kind": "file", "size": 5, "sha256": h'2cf2…'}
	const want = "a3646b696e646466696c656473697a6505667368613235365820" +
		"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	data := must(r.MarshalCBOR())(t)
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("encoded as\n%s, want\n%s", got, want)
	}
	decoded := must(Decode(data))(t)
	if id, ok := decoded.Identity(); !ok || id != (Identity{KindFile, r.Hash(), 5}) {
		t.Errorf("decoded %v", id)
	}
	if _, err := decoded.Open(t.Context()); err == nil {
		t.Error("a source that nothing is known of could be opened")
	}
}

func TestDecodeRefuses(t *testing.T) {
	sum := make([]byte, 32)
	sum[0] = 1
	for name, v := range map[string]any{
		"kind":     map[string]any{"kind": "link", "sha256": sum, "size": 1},
		"no hash":  map[string]any{"kind": "file", "size": 1},
		"short":    map[string]any{"kind": "file", "sha256": sum[:31], "size": 1},
		"negative": map[string]any{"kind": "file", "sha256": sum, "size": -1},
		"unknown":  map[string]any{"kind": "file", "sha256": sum, "size": 1, "name": "x"},
		"null":     nil,
		"text":     "file",
	} {
		if r, err := Decode(must(encoding.Marshal(v))(t)); err == nil {
			t.Errorf("%s: decoded %s", name, r)
		}
	}
}

// Neither name nor place nor permissions of a file enter its identity.
func TestNameIsNoIdentity(t *testing.T) {
	f := newFiles(t)
	a, b := File(tempFile(t, "same")), File(write(t, filepath.Join(t.TempDir(), "other", "name.txt"), "same"))
	if err := os.Chmod(b.path, 0o700); err != nil {
		t.Fatal(err)
	}
	c := File(tempFile(t, "Same"))
	if err := f.Resolve(t.Context(), []*Ref{a, b, c}); err != nil {
		t.Fatal(err)
	}
	if a.Hash() != b.Hash() || a.Hash() == c.Hash() {
		t.Errorf("hashes %s, %s and %s", a.Hash(), b.Hash(), c.Hash())
	}
}

func TestLocationJSON(t *testing.T) {
	l := Location{Identity{KindDir, Hash{0xab}, 7}, "out/run1/x"}
	data := must(json.Marshal(l))(t)
	const want = `{"kind":"dir","sha256":"ab00000000000000000000000000000000000000000000000000000000000000","size":7,"at":"out/run1/x"}`
	if string(data) != want {
		t.Errorf("got %s", data)
	}
	var back Location
	if err := json.Unmarshal(data, &back); err != nil || back != l {
		t.Errorf("back: %v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"sha256":"ab"}`), &back); err == nil {
		t.Error("a short hash was accepted")
	}
}

func TestBadRefs(t *testing.T) {
	f := newFiles(t)
	dir, file := t.TempDir(), tempFile(t, "x")
	for name, c := range map[string]struct {
		ref  *Ref
		word string
	}{
		"empty path":      {File(""), "empty"},
		"empty folder":    {Dir(""), "empty"},
		"folder as file":  {File(dir), "use Dir"},
		"file as folder":  {Dir(file), "use File"},
		"missing":         {File(filepath.Join(dir, "missing")), "no such file"},
		"missing folder":  {Dir(filepath.Join(dir, "missing")), "no such file"},
		"device":          {File("/dev/null"), "a device"},
		"no URI":          {At(file), "use File"},
		"no key":          {At("s3://bucket"), "names no file"},
		"folder URI":      {At("s3://bucket/folder/"), "names no file"},
		"climbing":        {FileAt(file, "s3://bucket/a/../../b"), ".."},
		"FileAt, no URI":  {FileAt(file, "result.csv"), "not a URI"},
		"unknown scheme":  {At("nosuch://bucket/file"), "nosuch"},
		"nil":             {nil, "nil"},
		"zero":            {&Ref{}, "empty value"},
		"At missing":      {At("file://" + dir + "/missing"), "no such file"},
		"FileAt, missing": {FileAt(filepath.Join(dir, "missing"), "file:///tmp/x"), "no such file"},
	} {
		err := f.Resolve(t.Context(), []*Ref{c.ref})
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		wantError(t, err, c.word)
	}
}

// The current folder may change between the making of a source and its use.
func TestPathIsAbsolute(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "data"), "content")
	t.Chdir(dir)
	r := File("data")
	t.Chdir(t.TempDir())
	if got := read(t, r); got != "content" {
		t.Errorf("read %q", got)
	}
}

func TestFileURIs(t *testing.T) {
	dir := t.TempDir()
	odd := write(t, filepath.Join(dir, "50% of #1 ü?.txt"), "odd")
	r := At(File(odd).URI())
	if r.path != odd {
		t.Errorf("%s led to %s", File(odd).URI(), r.path)
	}
	t.Setenv("HOME", dir)
	if got := At("file://~/a/b").path; got != filepath.Join(dir, "a", "b") {
		t.Errorf("~ led to %s", got)
	}
	if got := At("file://localhost/a/b").path; got != "/a/b" {
		t.Errorf("localhost led to %s", got)
	}
	folder := At("file://" + dir)
	if err := newFiles(t).Resolve(t.Context(), []*Ref{folder}); err != nil {
		t.Fatal(err)
	}
	if id, _ := folder.Identity(); id.Kind != KindDir {
		t.Errorf("a folder's URI is %v", id)
	}
}
