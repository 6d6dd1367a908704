package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrRefused says that a stream holds what nobody asked for.
var ErrRefused = errors.New("refused")

// Unpack writes to a path what a stream holds under a name. Nothing else may be in
// it, and whatever is in it, nothing is written anywhere else: names with "..",
// and ways through links that lead out, end it with ErrRefused or an error of the
// operating system. Links that lead out of the copy, absolute ones, devices and the
// like are left out and noted. What is there already is replaced. Permissions and
// times are kept; owners, and bits such as setuid, are not.
func Unpack(r io.Reader, name, to string) (Count, error) {
	u := unpacking{name: name, to: filepath.Clean(to), entered: map[string]bool{}}
	defer u.close()
	source := &source{r: r}
	in := tar.NewReader(source)
	for {
		header, err := in.Next()
		if err == io.EOF {
			if source.ended {
				return u.Count, fmt.Errorf("it broke off: %w", io.ErrUnexpectedEOF)
			}
			if !u.begun {
				return u.Count, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
			}
			_, err = io.Copy(io.Discard, source) // tar fills its last block
			return u.Count, errors.Join(err, u.finish())
		}
		if err != nil {
			return u.Count, err
		}
		if err := u.entry(header, in); err != nil {
			return u.Count, err
		}
	}
}

// source notes the end of a stream: in a whole one, tar's mark comes first.
type source struct {
	r     io.Reader
	ended bool
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.ended = n == 0 && err == io.EOF
	return n, err
}

type unpacking struct {
	Count
	name, to string
	begun    bool
	root     *os.Root        // all below it is ours; nil until the first entry
	entered  map[string]bool // folders that are no links
	folders  []folder        // get their permissions when all is in them
}

type folder struct {
	name string
	mode fs.FileMode
	time time.Time
}

func (u *unpacking) close() {
	if u.root != nil {
		u.root.Close()
	}
}

// entry writes one entry.
func (u *unpacking) entry(h *tar.Header, content io.Reader) error {
	below, err := u.below(h.Name)
	if err != nil {
		return err
	}
	if !u.begun {
		if below != "." {
			return fmt.Errorf("%w: %q comes before the folder that it is in", ErrRefused, h.Name)
		}
		return u.begin(h, content)
	}
	if u.root == nil || below == "." {
		return fmt.Errorf("%w: %q comes after %s, which is a file or came already", ErrRefused, h.Name, u.name)
	}
	return u.write(below, h, content)
}

// below is a name in a stream, seen from the one that was asked for.
func (u *unpacking) below(name string) (string, error) {
	clean := path.Clean(name)
	if slices.Contains(strings.Split(name, "/"), "..") {
		clean = ""
	}
	if clean == u.name {
		return ".", nil
	}
	below, ok := strings.CutPrefix(clean, u.name+"/")
	if !ok || !filepath.IsLocal(filepath.FromSlash(below)) {
		return "", fmt.Errorf("%w: it has %q, but only %q was asked for", ErrRefused, name, u.name)
	}
	return below, nil
}

// begin writes what was asked for: a file, or a folder in which the rest goes.
func (u *unpacking) begin(h *tar.Header, content io.Reader) error {
	u.begun = true
	if h.Typeflag != tar.TypeDir {
		parent, err := os.OpenRoot(filepath.Dir(u.to))
		if err != nil {
			return err
		}
		defer parent.Close()
		if !h.FileInfo().Mode().IsRegular() || h.Typeflag == tar.TypeLink {
			return fmt.Errorf("%s is neither a file nor a folder: copy what it leads to", u.name)
		}
		u.root = parent
		defer func() { u.root = nil }()
		return u.file(filepath.Base(u.to), h, content)
	}
	if err := os.Mkdir(u.to, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := os.OpenRoot(u.to)
	if err != nil {
		return err
	}
	u.root = root
	u.folders = append(u.folders, folder{".", permissions(h), h.ModTime})
	return nil
}

func permissions(h *tar.Header) fs.FileMode { return h.FileInfo().Mode().Perm() }

func (u *unpacking) write(name string, h *tar.Header, content io.Reader) error {
	if err := u.enter(path.Dir(name)); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.enter(name); err != nil {
			return err
		}
		// One that was there may not let anybody in.
		u.folders = append(u.folders, folder{name, permissions(h), h.ModTime})
		return u.root.Chmod(name, 0o700|permissions(h))
	case tar.TypeReg, tar.TypeGNUSparse: // TypeRegA is TypeReg by now
		return u.file(name, h, content)
	case tar.TypeSymlink:
		if !staysBelow(path.Dir(name), h.Linkname) {
			u.note("%s is a link to %s, which is not in the copy", path.Join(u.name, name), h.Linkname)
			return nil
		}
		if err := u.clear(name); err != nil {
			return err
		}
		return u.root.Symlink(filepath.FromSlash(h.Linkname), name)
	case tar.TypeLink:
		target, err := u.below(h.Linkname)
		if err != nil {
			return err
		}
		// A link that has a second name elsewhere leads elsewhere.
		if info, err := u.root.Lstat(target); err != nil || !info.Mode().IsRegular() {
			u.note("%s is a second name of %s, which is no file", path.Join(u.name, name), h.Linkname)
			return nil
		}
		if err := u.clear(name); err != nil {
			return err
		}
		u.Files++
		return u.root.Link(target, name)
	}
	u.note("%s is no file, no folder and no link", path.Join(u.name, name))
	return nil
}

// staysBelow says that a link in a folder leads to something below the top: it may
// first go up, and then down, through folders that are no links; see enter.
func staysBelow(folder, target string) bool {
	down := strings.TrimLeft(target, "./") // what is left of "../../a/b"
	if path.IsAbs(target) || strings.Contains("/"+down+"/", "/../") {
		return false
	}
	return filepath.IsLocal(filepath.FromSlash(path.Join(folder, target)))
}

// enter makes sure of a folder and all above it, and that none of them is a link.
func (u *unpacking) enter(name string) error {
	if name == "." || u.entered[name] {
		return nil
	}
	if err := u.enter(path.Dir(name)); err != nil {
		return err
	}
	if err := u.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := u.root.Lstat(name)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%w: %s, in which something is to go, is no folder", ErrRefused, name)
	}
	u.entered[name] = true
	return nil
}

// clear makes room for what is new: written over, an old link would be followed.
func (u *unpacking) clear(name string) error {
	info, err := u.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder here, and something else there", name)
	}
	return u.root.Remove(name)
}

func (u *unpacking) file(name string, h *tar.Header, content io.Reader) (err error) {
	if err := u.clear(name); err != nil {
		return err
	}
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, out.Close())
		if err == nil {
			err = u.root.Chtimes(name, h.ModTime, h.ModTime)
		}
		if err != nil {
			_ = u.root.Remove(name) // half a file is none
		}
	}()
	n, err := io.Copy(out, content)
	u.Files, u.Bytes = u.Files+1, u.Bytes+n
	if err != nil {
		return err
	}
	return out.Chmod(permissions(h))
}

// finish gives folders their permissions, innermost first.
func (u *unpacking) finish() error {
	for _, f := range slices.Backward(u.folders) {
		if err := u.root.Chtimes(f.name, f.time, f.time); err != nil {
			return err
		}
		if err := u.root.Chmod(f.name, f.mode); err != nil {
			return err
		}
	}
	return nil
}
