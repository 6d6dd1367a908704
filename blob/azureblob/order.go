package azureblob

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Azure lists an ordinary account by the names' UTF-16, which is byte order up
// to U+D7FF; names of mops are ASCII. In a hierarchical namespace it lists the
// content of a folder right behind the folder, as if the slash came before all
// other characters (https://github.com/Azure/azure-sdk-for-go/issues/24210):
//
//	Azure    A  A/x  A-B  A-B/y  A.C  AB
//	bytes    A  A-B  A-B/y  A.C  A/x  AB
//
// To restore byte order, emit before the content of a folder A all names that
// begin with A and a character below the slash; we say that these names precede
// A. Mostly there are none, and mostly the page at hand shows that. If the
// folder reaches beyond the page, it takes one more request to know.

// precedes reports whether a name precedes a folder.
func precedes(name, folder string) bool {
	return len(name) > len(folder) && name[:len(folder)] == folder && name[len(folder)] < '/'
}

const (
	lowest = " " // of the characters in names
	behind = "0" // the character behind the slash
)

// walk emits, in byte order, the names of r that begin with within, until r
// ends or until returns true.
func (l *listing) walk(ctx context.Context, r *reader, within string, until func(name string) bool) error {
	for {
		info, err := r.peek(ctx)
		if err != nil || info == nil || !strings.HasPrefix(info.Key, within) || until != nil && until(info.Key) {
			return err
		}
		if name, _, nested := strings.Cut(info.Key[len(within):], "/"); nested {
			err = l.folder(ctx, r, within, within+name)
		} else {
			err = l.emit(*info)
			r.page = r.page[1:]
		}
		if err != nil {
			return err
		}
	}
}

// folder emits a folder, at which r has just arrived: first the names that
// precede it, which the service lists behind it, then its content.
func (l *listing) folder(ctx context.Context, r *reader, within, folder string) error {
	hierarchical, err := l.store.isHierarchical(ctx, folder)
	if err != nil {
		return err
	}
	after, known := r.after(folder + "/")
	if hierarchical && !known {
		if folder+behind <= l.startAt { // so is all in the folder, and all that precedes it
			*r = *l.store.reader(r.prefix, folder+behind, l.store.pageSize)
			return nil
		}
		info, err := l.store.reader(folder, folder+lowest, 1).peek(ctx)
		if err != nil {
			return err
		}
		if info != nil {
			after = info.Key
		}
	}
	if !precedes(after, folder) {
		return l.walk(ctx, r, folder+"/", nil)
	}
	others := func(name string) bool { return !precedes(name, folder) }
	if err := l.walk(ctx, l.store.reader(folder, folder+lowest, l.store.pageSize), within, others); err != nil {
		return err
	}
	if err := l.walk(ctx, r, folder+"/", nil); err != nil {
		return err
	}
	*r = *l.store.reader(r.prefix, folder+behind, l.store.pageSize)
	return nil
}

// from is where a list has to begin so that it leaves out nothing from startAt
// on. In a hierarchical namespace A/x comes before A-B, and a caller that
// starts at A-B may want it: so the list begins at A, also as long as the kind
// of namespace is unknown.
func (l *listing) from(prefix string) string {
	from := l.startAt
	for i, c := range from {
		if c < ' ' || c == utf8.RuneError { // no name has it
			from = from[:i]
			break
		}
	}
	for i := max(len(prefix), 1); i < len(from) && l.store.namespace.Load() != flatNamespace; i++ {
		if from[i] < '/' && from[i-1] != '/' {
			from = from[:i]
		}
	}
	if from <= prefix {
		return ""
	}
	return from
}

// The kinds of namespace.
const (
	flatNamespace = iota + 1
	hierarchicalNamespace
)

// isHierarchical reports whether the account has a hierarchical namespace: only
// there a folder with content answers. It takes one request, once.
func (s *store) isHierarchical(ctx context.Context, folder string) (bool, error) {
	if known := s.namespace.Load(); known != 0 {
		return known == hierarchicalNamespace, nil
	}
	r, err := s.client.NewBlobClient(folder).GetProperties(ctx, nil)
	if err = s.failure(err); err != nil && !blob.Is(err, blob.NotFound) {
		return false, err
	}
	found := int32(flatNamespace)
	if err == nil && isFolder(r.Metadata) {
		found = hierarchicalNamespace
	}
	s.namespace.Store(found)
	return found == hierarchicalNamespace, nil
}
