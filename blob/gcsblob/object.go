package gcsblob

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// object is the JSON API's description of an object
// (https://cloud.google.com/storage/docs/json_api/v1/objects#resource).
type object struct {
	Name       string            `json:"name"`
	Generation string            `json:"generation"`
	Size       string            `json:"size"`
	Created    time.Time         `json:"timeCreated"` // of this generation
	Metadata   map[string]string `json:"metadata"`
}

const (
	objectFields = "generation,size,timeCreated,metadata"
	listFields   = "nextPageToken,items(name,generation,size,timeCreated)"
)

func (o object) info(key string) driver.Info {
	size, _ := strconv.ParseInt(o.Size, 10, 64)
	return driver.Info{Key: key, Size: size, ModTime: o.Created.UTC().Truncate(time.Second), Version: driver.Version(o.Generation)}
}

func (s *store) Stat(ctx context.Context, key string) (driver.Info, error) {
	name, err := s.name(key)
	if err != nil {
		return driver.Info{}, err
	}
	o, err := s.object(ctx, name)
	return o.info(key), err
}

func (s *store) object(ctx context.Context, name string) (object, error) {
	return s.askObject(ctx, request{method: http.MethodGet, path: s.objectPath(name), query: url.Values{}})
}

// askObject sends a request whose answer is an object.
func (s *store) askObject(ctx context.Context, q request) (object, error) {
	var o object
	q.query.Set("fields", objectFields)
	err := s.ask(ctx, q, &o)
	if err == nil && o.Generation == "" {
		err = foreign(http.StatusOK)
	}
	return o, err
}

func (s *store) Delete(ctx context.Context, key string) error {
	name, err := s.name(key)
	if err != nil {
		return err
	}
	err = s.ask(ctx, request{method: http.MethodDelete, path: s.objectPath(name)}, nil)
	if blob.Is(err, driver.NotFound) {
		return nil
	}
	return err
}

// List asks for page after page, in the order of the service, which is that of
// bytes (https://cloud.google.com/storage/docs/json_api/v1/objects/list).
func (s *store) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		if !utf8.ValidString(prefix) {
			return // no name is like that
		}
		query := url.Values{"prefix": {s.address.Prefix(prefix)}, "maxResults": {s.pageSize}, "fields": {listFields}}
		if from := valid(startAt); from > prefix {
			query.Set("startOffset", s.address.Prefix(from))
		}
		for {
			var page struct {
				Items []object `json:"items"`
				Next  string   `json:"nextPageToken"`
			}
			if err := s.ask(ctx, request{method: http.MethodGet, path: s.objectsPath(), query: query}, &page); err != nil {
				yield(driver.Info{}, err)
				return
			}
			for _, o := range page.Items {
				if key := s.address.Relative(o.Name); key >= startAt && !yield(o.info(key), nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("pageToken", page.Next)
		}
	}
}

// valid is the beginning of text up to the first invalid UTF-8; it never sorts
// behind text.
func valid(text string) string {
	for i, r := range text {
		if _, width := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && width == 1 {
			return text[:i]
		}
	}
	return text
}
