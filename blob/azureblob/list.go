package azureblob

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// List yields blobs in byte order, with a request for each 5,000, and some more
// in hierarchical namespaces; see order.go.
func (s *store) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		l := &listing{store: s, startAt: s.place.address.Prefix(startAt), yield: yield}
		if err := l.run(ctx, s.place.address.Prefix(prefix)); err != nil && err != errLeft {
			yield(driver.Info{}, err)
		}
	}
}

// errLeft means that the caller left the loop.
var errLeft = errors.New("the loop was left")

// listing is one List under way. It uses the service's names, which begin with
// the root's path.
type listing struct {
	store   *store
	startAt string
	yield   func(driver.Info, error) bool
}

func (l *listing) run(ctx context.Context, prefix string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.startAt > prefix && !strings.HasPrefix(l.startAt, prefix) {
		return nil // behind all names with the prefix
	}
	return l.walk(ctx, l.store.reader(prefix, l.from(prefix), l.store.pageSize), prefix, nil)
}

func (l *listing) emit(info driver.Info) error {
	if info.Key < l.startAt {
		return nil
	}
	info.Key = l.store.place.address.Relative(info.Key)
	if !l.yield(info, nil) {
		return errLeft
	}
	return nil
}

// reader reads the service's list, page by page, without folders.
type reader struct {
	store  *store
	prefix string
	pages  *runtime.Pager[container.ListBlobsFlatResponse]
	page   []driver.Info // the rest of it
}

// reader begins a list of names with a prefix, at the name from, which begins
// with it, or at the first one. Azure can start a list at a name since its
// version 2026-02-06. most is the number of names in a page; 0 for the
// service's own.
func (s *store) reader(prefix, from string, most int32) *reader {
	options := &container.ListBlobsFlatOptions{
		Prefix:  &prefix,
		Include: container.ListBlobsInclude{Metadata: true}, // it marks folders
	}
	if from != "" {
		options.StartFrom = &from
	}
	if most > 0 {
		options.MaxResults = &most
	}
	return &reader{store: s, prefix: prefix, pages: s.client.NewListBlobsFlatPager(options)}
}

// peek returns the next blob, or nil behind the last.
func (r *reader) peek(ctx context.Context) (*driver.Info, error) {
	for len(r.page) == 0 && r.pages.More() {
		page, err := r.pages.NextPage(ctx)
		if err = r.store.failure(err); blob.Is(err, blob.NotFound) { // a folder of a hierarchical namespace
			return nil, nil
		}
		if err == nil {
			err = r.take(page.Segment)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(r.page) == 0 {
		return nil, nil
	}
	return &r.page[0], nil
}

func (r *reader) take(segment *container.BlobFlatListSegment) error {
	if segment == nil {
		return &driver.Error{Kind: driver.Unavailable, Err: errors.New("the answer is no list")}
	}
	r.page = make([]driver.Info, 0, len(segment.BlobItems))
	for _, b := range segment.BlobItems {
		if b.Name == nil || b.Properties == nil {
			return &driver.Error{Kind: driver.Unavailable, Err: errors.New("the answer lists a blob without a name or properties")}
		}
		p := b.Properties
		if isFolder(b.Metadata) || p.ResourceType != nil && *p.ResourceType == "directory" {
			continue
		}
		info, err := describe(*b.Name, p.ContentLength, p.ETag, p.LastModified, nil)
		if err != nil {
			return err
		}
		r.page = append(r.page, info)
	}
	return nil
}

// after returns the first name behind all that begin with prefix, which the
// next one does. It looks only at this page: ok is false if the page does not
// show it.
func (r *reader) after(prefix string) (name string, ok bool) {
	for _, info := range r.page {
		if !strings.HasPrefix(info.Key, prefix) {
			return info.Key, true
		}
	}
	return "", !r.pages.More()
}
