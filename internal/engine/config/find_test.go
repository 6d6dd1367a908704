package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatNamesTheFile(t *testing.T) {
	t.Chdir(t.TempDir())
	variable := ""
	lookup := func(name string) (string, bool) {
		if name != "MOPS_CONFIG" {
			t.Errorf("asked for %s", name)
		}
		return variable, variable != ""
	}
	expect := func(explicit, path string) {
		t.Helper()
		if found, err := Find(explicit, lookup); err != nil || filepath.Base(found.Path) != path {
			t.Errorf("got %+v, %v, want %q", found, err, path)
		}
	}
	expect("", ".")
	write(t, "mops.toml")
	expect("", "mops.toml")
	variable = "from-env.toml"
	expect("", "from-env.toml")
	expect("given.toml", "given.toml")
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The nearest file counts, up to the repository or the home folder.
func TestTheWayUp(t *testing.T) {
	for name, test := range map[string]struct {
		files  []string
		want   string
		unread []string // beginnings of why
	}{
		"here":                {[]string{"home/repo/a/b/mops.toml"}, "home/repo/a/b/mops.toml", nil},
		"above":               {[]string{"home/repo/mops.toml"}, "home/repo/mops.toml", nil},
		"nearest":             {[]string{"home/repo/a/mops.toml", "home/repo/mops.toml"}, "home/repo/a/mops.toml", []string{"home/repo/mops.toml: a nearer one counts"}},
		"home":                {[]string{"home/mops.toml"}, "home/mops.toml", nil},
		"above home":          {[]string{"mops.toml"}, "", []string{"mops.toml: it lies above the home folder"}},
		"repository":          {[]string{"home/repo/.git/HEAD", "home/repo/mops.toml"}, "home/repo/mops.toml", nil},
		"above repository":    {[]string{"home/repo/.git/HEAD", "home/mops.toml"}, "", []string{"home/mops.toml: it lies above the repository "}},
		"worktree":            {[]string{"home/repo/.git", "home/mops.toml"}, "", []string{"home/mops.toml: it lies above the repository "}},
		"nothing at all":      {nil, "", nil},
		"a folder of no note": {[]string{"home/repo/go.mod", "home/mops.toml"}, "home/mops.toml", nil},
	} {
		top, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		here := filepath.Join(top, "home/repo/a/b")
		for _, file := range append(test.files, "home/repo/a/b/main.go") {
			write(t, filepath.Join(top, file))
		}
		found, err := findUpwards(here, filepath.Join(top, "home"))
		got := strings.TrimPrefix(found.Path, top+string(filepath.Separator))
		if err != nil || filepath.ToSlash(got) != test.want {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		if len(found.Unread) != len(test.unread) {
			t.Fatalf("%s: %+v", name, found.Unread)
		}
		for i, u := range found.Unread {
			if say := strings.TrimPrefix(u.Path, top+"/") + ": " + u.Why; !strings.HasPrefix(say, test.unread[i]) {
				t.Errorf("%s: %s", name, say)
			}
		}
		if warns := len(found.Warnings()) > 0; warns != (found.Path == "" && len(found.Unread) > 0) {
			t.Errorf("%s: warnings %q", name, found.Warnings())
		}
	}
}
