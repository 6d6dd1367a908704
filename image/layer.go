package image

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// entry is a file or a folder in a layer. All belong to root.
type entry struct {
	path string // in the image, absolute
	mode int64
	size int64
	open func() (io.ReadCloser, error) // nil for a folder
}

// epoch dates everything in an image, so that equal content has equal digests.
var epoch = time.Unix(0, 0).UTC()

func text(path, content string) entry {
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
	return entry{path, 0o644, int64(len(content)), open}
}

// copied is a file of this machine.
func copied(path, from string) (entry, error) {
	info, err := os.Stat(from)
	if err != nil {
		return entry{}, err
	}
	if !info.Mode().IsRegular() {
		return entry{}, fmt.Errorf("%s is neither a file nor a folder", from)
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return entry{path, mode, info.Size(), func() (io.ReadCloser, error) { return openfile.Regular(from) }}, nil
}

// entries are the files that Files adds, in lexical order.
func (f files) entries() (all []entry, err error) {
	if !path.IsAbs(f.at) {
		return nil, fmt.Errorf("Files(%q, %q): the second is the path in the image, which has to be absolute", f.path, f.at)
	}
	root, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(from string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		within, err := filepath.Rel(root, from)
		if err != nil {
			return err
		}
		e, err := copied(path.Join(f.at, filepath.ToSlash(within)), from)
		all = append(all, e)
		return err
	})
	return all, err
}

// layer makes a layer that reads its entries each time it is needed, for its
// digests and to be sent.
func layer(mediaType types.MediaType, entries []entry) (v1.Layer, error) {
	open := func() (io.ReadCloser, error) { return newArchive(entries), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(mediaType), tarball.WithCompressionLevel(gzip.BestSpeed))
}

// archive is a tar file that is written as it is read.
type archive struct {
	*io.PipeReader
	written chan struct{} // closed when nothing writes any more
}

func newArchive(entries []entry) archive {
	reader, writer := io.Pipe()
	a := archive{reader, make(chan struct{})}
	go func() {
		defer close(a.written)
		writer.CloseWithError(write(writer, entries))
	}()
	return a
}

// Close ends the writing at any point.
func (a archive) Close() error {
	err := a.PipeReader.Close()
	<-a.written
	return err
}

func write(to io.Writer, entries []entry) error {
	w := tar.NewWriter(to)
	for _, e := range entries {
		header := tar.Header{Name: strings.TrimPrefix(e.path, "/"), Mode: e.mode, Size: e.size, ModTime: epoch, Typeflag: tar.TypeReg}
		if e.open == nil {
			header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		}
		if err := w.WriteHeader(&header); err != nil {
			return err
		}
		if e.open == nil {
			continue
		}
		if err := copyTo(w, e); err != nil {
			return fmt.Errorf("%s of the image: %w", e.path, err)
		}
	}
	return w.Close()
}

func copyTo(w io.Writer, e entry) error {
	content, err := e.open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(w, content)
	return err
}
