package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FileName is the config file that is looked for.
const FileName = "mops.toml"

// fileVariable names the config file.
const fileVariable = "MOPS_CONFIG"

// Found says which config file to use.
type Found struct {
	Path   string   // "" if there is none
	How    string   // in words
	Unread []Unread // other files of that name on the way up
}

// Unread is a config file that is not read.
type Unread struct{ Path, Why string }

// Warnings are about files that somebody may take for those that are read. That a
// nearer file counts needs no warning.
func (f Found) Warnings() (warnings []string) {
	if f.Path != "" {
		return nil
	}
	for _, u := range f.Unread {
		warnings = append(warnings, fmt.Sprintf("the config file %s is not read: %s; to use it, name it: %s=%s", u.Path, u.Why, fileVariable, u.Path))
	}
	return warnings
}

// Find says which config file to use: the one given, else the one that MOPS_CONFIG
// names, else the nearest mops.toml, from the current folder upwards. The way up ends
// with the repository (the folder that has .git), with the home folder and at the
// border of the file system, so that what lies around a project, on a build server
// say, has no part in it. lookup is [os.LookupEnv] or the like. Whether a file that
// was asked for is there is for [Load] to find out.
//
// Nobody else may steer a program by a file that its user never named: Find fails if
// the nearest file belongs to neither this user nor root. Where everybody may put
// files, such as in /tmp, it passes such a file over.
func Find(explicit string, lookup func(string) (string, bool)) (Found, error) {
	if explicit != "" {
		return Found{Path: explicit, How: "by mops.Config"}, nil
	}
	if path, _ := lookup(fileVariable); path != "" {
		return Found{Path: path, How: "by " + fileVariable}, nil
	}
	here, err := os.Getwd()
	if err == nil {
		here, err = filepath.EvalSymlinks(here)
	}
	if err != nil { // the folder is gone
		return Found{}, nil
	}
	home, _ := os.UserHomeDir()
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real
	}
	return findUpwards(here, home)
}

func findUpwards(here, home string) (found Found, err error) {
	border := "" // that was crossed
	for folder, up := here, 0; ; up++ {
		path := filepath.Join(folder, FileName)
		_, err := os.Lstat(path)
		switch owner := foreign(path); {
		case errors.Is(err, fs.ErrNotExist) || err != nil && up > 0:
		case found.Path != "":
			if owner == "" {
				found.Unread = append(found.Unread, Unread{path, "a nearer one counts, whole"})
			}
		case owner != "" && openToAll(folder):
			found.Unread = append(found.Unread, Unread{path, owner})
		case border != "":
			if owner == "" {
				found.Unread = append(found.Unread, Unread{path, "it lies above " + border})
			}
		case owner != "":
			return Found{}, fmt.Errorf("the config file %s is refused: %s, who could have results read and written elsewhere; if you trust it, name it: %s=%s",
				path, owner, fileVariable, path)
		default:
			found.Path, found.How = path, upwards(up)
		}
		border = cmp.Or(border, borderOf(folder, home))
		above := filepath.Dir(folder)
		if above == folder {
			return found, nil
		}
		folder = above
	}
}

func upwards(folders int) string {
	switch folders {
	case 0:
		return "in the current folder"
	case 1:
		return "in the folder above"
	}
	return fmt.Sprintf("%d folders up", folders)
}

// borderOf is what ends with a folder, in words; "" if nothing does.
func borderOf(folder, home string) string {
	if folder == home {
		return "the home folder"
	}
	if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil {
		return "the repository " + folder
	}
	if !sameFileSystem(folder, filepath.Dir(folder)) {
		return "the file system of " + folder
	}
	return ""
}
