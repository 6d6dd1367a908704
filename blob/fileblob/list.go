package fileblob

import (
	"context"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// List yields blobs in byte order of their keys. It holds the names of one
// folder per level in memory.
func (s *store) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		w := walk{ctx: ctx, prefix: prefix, startAt: startAt, yield: func(info driver.Info, err error) bool {
			s.letIn(&err)
			return yield(info, err)
		}}
		above := prefix[:strings.LastIndexByte(prefix, '/')+1] // common to all keys in question
		dir := s.dir
		if above != "" {
			path, err := s.path(strings.TrimSuffix(above, "/"))
			if err != nil || blob.ValidKey(above[:len(above)-1]) != nil {
				return // no key can lie there
			}
			dir = path
		}
		w.folder(dir, above)
	}
}

// walk is one list under way.
type walk struct {
	ctx             context.Context // of the List, as long as it runs
	prefix, startAt string
	yield           func(driver.Info, error) bool
}

// node is a file or folder of the store. Sorted by key, nodes come in the order
// of the keys at and below them.
type node struct {
	key     string // with a trailing slash for a folder
	name    string
	written bool // written over: it has a folder of versions
}

// folder walks the folder dir, whose blobs' keys start with key. It returns
// false when the walk has ended.
func (w *walk) folder(dir, key string) bool {
	nodes, err := w.nodes(dir, key)
	if err != nil {
		w.yield(driver.Info{}, classify(err))
		return false
	}
	for _, n := range nodes {
		if err := w.ctx.Err(); err != nil {
			w.yield(driver.Info{}, err)
			return false
		}
		path := dir + "/" + n.name
		if strings.HasSuffix(n.key, "/") {
			if !w.folder(path, n.key) {
				return false
			}
			continue
		}
		info, err := infoOf(w.ctx, path, n)
		if kindOf(err) == driver.NotFound {
			continue // deleted meanwhile
		}
		if !w.yield(info, err) || err != nil {
			return false
		}
	}
	return true
}

// nodes lists the wanted blobs and folders in a folder, in order.
func (w *walk) nodes(dir, key string) ([]node, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !isNotExist(err) {
		return nil, err
	}
	nodes := make([]node, 0, len(entries))
	var versions map[string]bool // of most folders, none
	for _, e := range entries {
		if base, ok := strings.CutSuffix(e.Name(), "~"); ok && e.IsDir() {
			if versions == nil {
				versions = map[string]bool{}
			}
			versions[base] = true
		}
		segment, ok := unescape(e.Name())
		if !ok {
			continue
		}
		n := node{key: key + segment, name: e.Name()}
		mode := e.Type()
		if mode&fs.ModeSymlink != 0 {
			info, err := os.Stat(dir + "/" + n.name)
			if err != nil {
				continue
			}
			mode = info.Mode().Type()
		}
		if blob.ValidKey(n.key) != nil || !mode.IsDir() && !mode.IsRegular() {
			continue // not ours, or a circle of symbolic links
		}
		if mode.IsDir() {
			n.key += "/"
		}
		if w.wanted(n.key) {
			nodes = append(nodes, n)
		}
	}
	for i := range nodes {
		nodes[i].written = versions[nodes[i].name]
	}
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.key, b.key) })
	return nodes, nil
}

// wanted reports whether to list a blob, or any blob under a folder.
func (w *walk) wanted(key string) bool {
	if strings.HasSuffix(key, "/") {
		return (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)) &&
			(key >= w.startAt || strings.HasPrefix(w.startAt, key))
	}
	return strings.HasPrefix(key, w.prefix) && key >= w.startAt
}

// infoOf describes the newest version of a blob.
func infoOf(ctx context.Context, path string, n node) (driver.Info, error) {
	if n.written {
		f, err := find(ctx, path)
		if err != nil {
			return driver.Info{}, err
		}
		defer f.file.Close()
		return f.info(n.key, f.version), nil
	}
	a, err := listedAt(path)
	if err != nil {
		return driver.Info{}, missing(path, err)
	}
	return a.info(n.key, version{life: a.identity}), nil
}
