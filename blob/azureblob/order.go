package azureblob

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Azure lists an ordinary account by the names' UTF-16, which is byte order up to
// U+D7FF; names of mops are ASCII. In a hierarchical namespace it lists what is in a
// folder right behind the folder, as if the slash came before all other characters
// (https://github.com/Azure/azure-sdk-for-go/issues/24210):
//
//	Azure    A  A/x  A-B  A-B/y  A.C  AB
//	bytes    A  A-B  A-B/y  A.C  A/x  AB
//
// So there is byte order again if, before the content of a folder A, there comes
// what has a name of A and a character below the slash. Let us say, what precedes A.
// Mostly there is nothing, and mostly that shows in the page at hand. Where the
// folder reaches beyond the page, it takes one more request to know.

// precedes reports whether a name precedes a folder.
func precedes(name, folder string) bool {
	return len(name) > len(folder) && name[:len(folder)] == folder && name[len(folder)] < '/'
}

const (
	lowest = " " // of the characters that a name may have
	behind = "0" // the character behind the slash
)

// walk emits, in byte order, the names that begin with within, as far as r has them
// and until says that it is over.
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

// folder emits what is in a folder, where r has just come to it, and first what
// precedes it and is listed behind it.
func (l *listing) folder(ctx context.Context, r *reader, within, folder string) error {
	hierarchical, err := l.store.isHierarchical(ctx, folder)
	if err != nil {
		return err
	}
	after, known := r.after(folder + "/")
	if hierarchical && !known {
		if folder+behind <= l.startAt { // so is all in it, and what precedes it
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

// from is where a list has to begin so that nothing from startAt on is left out. In
// a hierarchical namespace A/x comes before A-B, and may be wanted from there on: so
// the list begins with A, also as long as the namespace is not known.
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

// isHierarchical reports whether the account has a hierarchical namespace: there, a
// folder that something is in answers. It takes one request, once.
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
