package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

const (
	home    = "https://github.com/TrilliantHealth/mops-go"
	purpose = "what is kept of memoized calls"
)

func (p program) writeDebian(source string, extras []extra, out string) error {
	put := func(from, to string, mode os.FileMode) *files.Content {
		return &files.Content{Source: from, Destination: to, FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: p.made}}
	}
	contents := files.Contents{
		put(p.path, "/usr/bin/mops", 0o755),
		put(filepath.Join(source, "LICENSE"), "/usr/share/doc/mops/copyright", 0o644),
		put(filepath.Join(source, "CHANGELOG.md"), "/usr/share/doc/mops/CHANGELOG.md", 0o644),
	}
	for _, e := range extras {
		contents = append(contents, put(e.path, e.debian, 0o644))
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "mops", Version: p.version, Platform: p.system, Arch: p.architecture, MTime: p.made,
		Section: "utils", Priority: "optional", Maintainer: "The mops authors <TrilliantHealth@users.noreply.github.com>", Homepage: home, License: "MIT",
		Description: "shows " + purpose + "\nIt examines the stores in which programs with the library mops keep the\nresults of their calls, and removes what is no longer wanted.",
		Overridables: nfpm.Overridables{
			Umask: 0o022, Contents: contents, Suggests: []string{"bash-completion"},
		},
	})
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(out, deb.Default.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	return errors.Join(deb.Default.Package(info, file), file.Close())
}
