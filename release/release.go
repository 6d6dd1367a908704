package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// release fills the empty folder out, and returns the names of the files. It builds
// from a clone of the checkout's commit: what is not committed is no part of a release.
func (r recipe) release(ctx context.Context, checkout, out string, platforms []string) (names []string, err error) {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return nil, err
	}
	if old, err := os.ReadDir(out); err != nil || len(old) > 0 {
		return nil, errors.Join(err, fmt.Errorf("%s has %d files in it: give an empty folder, so that nothing of another release is among the files", out, len(old)))
	}
	work, err := os.MkdirTemp("", "mops-release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	source := filepath.Join(work, "source")
	if err := cloneCommit(ctx, checkout, source); err != nil {
		return nil, err
	}
	extras, err := r.makeExtras(ctx, source, filepath.Join(work, "extras"))
	if err != nil {
		return nil, err
	}
	var archives []archive
	for _, platform := range platforms {
		p, err := r.build(ctx, source, filepath.Join(work, strings.ReplaceAll(platform, "/", "-")), platform)
		if err != nil {
			return nil, err
		}
		a, err := p.writeArchive(source, extras, out)
		if err != nil {
			return nil, err
		}
		archives = append(archives, a)
		if err := p.writeComponents(out); err != nil {
			return nil, err
		}
		if p.system == "linux" {
			if err := p.writeDebian(source, extras, out); err != nil {
				return nil, err
			}
		}
	}
	if err := writeFormula(out, archives); err != nil {
		return nil, err
	}
	return writeChecksums(out)
}

// checksums is the file that sha256sum --check reads.
const checksums = "SHA256SUMS"

func writeChecksums(out string) (names []string, err error) {
	entries, err := os.ReadDir(out)
	if err != nil {
		return nil, err
	}
	var lines strings.Builder
	for _, e := range entries {
		sum, err := hashOf(filepath.Join(out, e.Name()))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&lines, "%s  %s\n", sum, e.Name())
		names = append(names, e.Name())
	}
	names = append(names, checksums)
	slices.Sort(names)
	return names, os.WriteFile(filepath.Join(out, checksums), []byte(lines.String()), 0o666)
}

func hashOf(path string) (string, error) {
	content, err := os.ReadFile(path)
	return fmt.Sprintf("%x", sha256.Sum256(content)), err
}
