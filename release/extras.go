package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
)

// extra is a file that the tool makes for shells and for man.
type extra struct {
	path         string
	name, debian string // in archives, and where packages for Debian put it
}

// makeExtras has the tool write its manual pages and what shells read to complete its
// command lines. They are the same for all platforms, so the tool of this one does.
func (r recipe) makeExtras(ctx context.Context, source, folder string) (extras []extra, err error) {
	pages := filepath.Join(folder, "man1")
	if err := os.MkdirAll(pages, 0o777); err != nil {
		return nil, err
	}
	p, err := r.build(ctx, source, folder, runtime.GOOS+"/"+runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	if _, err := output(ctx, folder, nil, p.path, "man", pages); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(pages)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		extras = append(extras, extra{filepath.Join(pages, e.Name()), "man1/" + e.Name(), "/usr/share/man/man1/" + e.Name()})
	}
	for _, c := range []struct{ shell, name, debian string }{
		{"bash", "mops", "/usr/share/bash-completion/completions/mops"},
		{"zsh", "_mops", "/usr/share/zsh/vendor-completions/_mops"},
		{"fish", "mops.fish", "/usr/share/fish/vendor_completions.d/mops.fish"},
	} {
		script, err := output(ctx, folder, nil, p.path, "completion", c.shell)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(folder, "completion."+c.shell)
		if err := os.WriteFile(path, []byte(script), 0o666); err != nil {
			return nil, err
		}
		extras = append(extras, extra{path, "completions/" + c.name, c.debian})
	}
	return extras, nil
}
