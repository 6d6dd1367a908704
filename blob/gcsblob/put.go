package gcsblob

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

const (
	// partsFolder holds the parts of large blobs until they are composed.
	partsFolder = driver.ScratchPrefix

	// mostSources is how many objects one request composes
	// (https://cloud.google.com/storage/docs/composite-objects). A composite object
	// may be composed again, without a bound on the number in all.
	mostSources = 32

	// maxParts is how many three rounds compose.
	maxParts = mostSources * mostSources * mostSources
)

// parts is an object in parts, each an object of its own.
type parts struct {
	store  *store
	name   string // of the object to make
	opts   driver.PutOptions
	id     string // of this upload
	folder string // of this upload, a key
}

func (s *store) newParts(name string, opts driver.PutOptions) (*parts, error) {
	p := &parts{store: s, name: name, opts: opts, id: rand.Text()}
	p.folder = partsFolder + p.id + "/"
	_, err := s.name(fmt.Sprint(p.folder, "0-", maxParts)) // the longest
	return p, err
}

// part is the name of part n, counted from 1; in later rounds, of the n-th
// object composed of parts.
func (p *parts) part(round, n int) string {
	return p.store.address.Prefix(fmt.Sprintf("%s%d-%d", p.folder, round, n))
}

// Put writes a part. It may write it twice, with the same content.
func (p *parts) Put(ctx context.Context, n int, data []byte) error {
	_, err := p.store.insert(ctx, p.part(0, n), data, driver.PutOptions{})
	return err
}

// Complete composes the parts, in rounds if there are more than 32.
func (p *parts) Complete(ctx context.Context, n int, size int64) (driver.Info, error) {
	var names []string
	for i := range n {
		names = append(names, p.part(0, i+1))
	}
	for round := 1; len(names) > mostSources; round++ {
		var joined []string
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(4)
		for from := range slices.Chunk(names, mostSources) {
			into := p.part(round, len(joined)+1)
			joined = append(joined, into)
			group.Go(func() error { _, err := p.compose(groupCtx, into, from, driver.PutOptions{}); return err })
		}
		if err := group.Wait(); err != nil {
			return driver.Info{}, err
		}
		names = joined
	}
	whole, err := p.compose(ctx, p.name, names, p.opts)
	if err != nil {
		return driver.Info{}, err
	}
	info := whole.info("")
	if info.Size != size {
		return info, &driver.Error{Kind: driver.Corrupt, Err: fmt.Errorf("%d bytes went up, and the service has %d", size, info.Size)}
	}
	p.Abort(ctx) // for services that compose and delete no sources, as emulators do
	return info, nil
}

// uploadKey is the metadata of a composed object that names the upload.
const uploadKey = "mops-upload"

type composition struct {
	Destination struct {
		ContentType string            `json:"contentType"`
		Metadata    map[string]string `json:"metadata"`
	} `json:"destination"`
	Sources []source `json:"sourceObjects"`
	Delete  bool     `json:"deleteSourceObjects"`
}

type source struct {
	Name string `json:"name"`
}

// compose makes one object out of several, and deletes those in the same step
// (https://cloud.google.com/storage/docs/json_api/v1/objects/compose). So it
// cannot just run again after its answer was lost: it looks whose the object
// is.
func (p *parts) compose(ctx context.Context, into string, from []string, opts driver.PutOptions) (object, error) {
	c := composition{Delete: true}
	c.Destination.ContentType = contentType
	c.Destination.Metadata = map[string]string{uploadKey: p.id}
	for _, name := range from {
		c.Sources = append(c.Sources, source{name})
	}
	body, err := json.Marshal(c)
	if err != nil {
		return object{}, err
	}
	var made object
	perhaps := false // an earlier try may have succeeded
	err = blob.RetryPolicy{}.Do(ctx, func() (err error) {
		made, err = p.store.askObject(ctx, request{
			method: http.MethodPost, path: p.store.objectPath(into) + "/compose", query: condition(opts),
			header: map[string]string{"Content-Type": "application/json"}, body: [][]byte{body},
		})
		if err != nil && perhaps {
			if o, statErr := p.store.object(ctx, into); statErr == nil && o.Metadata[uploadKey] == p.id {
				made, err = o, nil
			}
		}
		perhaps = perhaps || blob.Is(err, driver.Unavailable)
		return err
	})
	if blob.Is(err, driver.NotFound) {
		err = &driver.Error{Kind: driver.Unavailable, Err: errors.New("parts of the upload were deleted meanwhile, by a lifecycle rule or by hand")}
	}
	return made, err
}

// Abort deletes the parts as far as it can.
func (p *parts) Abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(8)
	for info, err := range p.store.List(ctx, p.folder, "") {
		if err != nil {
			break
		}
		group.Go(func() error { return p.store.Delete(ctx, info.Key) })
	}
	group.Wait() // mops gc, or the lifecycle rule, removes the rest
}

// Put writes a blob: in one request, or in parts if it is large.
func (s *store) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if err := cloud.CheckConditions(opts); err != nil {
		return driver.Info{}, err
	}
	name, err := s.name(key)
	if err != nil {
		return driver.Info{}, err
	}
	if generation, err := strconv.ParseUint(string(opts.IfVersion), 10, 64); opts.IfVersion != "" && (err != nil || generation == 0) {
		return driver.Info{}, &driver.Error{Kind: driver.Mismatch} // 0 would mean: if absent
	}
	upload := cloud.Upload{
		MaxParts: maxParts,
		Whole:    func(ctx context.Context, data []byte) (driver.Info, error) { return s.insert(ctx, name, data, opts) },
		Begin:    func(context.Context) (cloud.Parts, error) { return s.newParts(name, opts) },
	}
	info, err := upload.Put(ctx, body, size)
	info.Key = key
	if err != nil {
		return driver.Info{}, conditional(err, opts)
	}
	return info, nil
}

// condition is the precondition of a put, as a part of the query
// (https://cloud.google.com/storage/docs/request-preconditions).
func condition(opts driver.PutOptions) url.Values {
	switch {
	case opts.IfAbsent:
		return url.Values{"ifGenerationMatch": {"0"}}
	case opts.IfVersion != "":
		return url.Values{"ifGenerationMatch": {string(opts.IfVersion)}}
	}
	return url.Values{}
}

const contentType = "application/octet-stream"

// insert writes an object in one request. The service compares the checksum,
// which stands in front of the content
// (https://cloud.google.com/storage/docs/json_api/v1/objects/insert, multipart
// upload).
func (s *store) insert(ctx context.Context, name string, data []byte, opts driver.PutOptions) (driver.Info, error) {
	metadata, err := json.Marshal(map[string]string{"name": name, "crc32c": checksum(data)})
	if err != nil {
		return driver.Info{}, err
	}
	boundary := rand.Text()
	query := condition(opts)
	query.Set("uploadType", "multipart")
	written, err := s.askObject(ctx, request{
		method: http.MethodPost, path: s.uploadPath(), query: query,
		header: map[string]string{"Content-Type": "multipart/related; boundary=" + boundary},
		body: [][]byte{
			fmt.Appendf(nil, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n", boundary, metadata),
			fmt.Appendf(nil, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, contentType),
			data,
			fmt.Appendf(nil, "\r\n--%s--\r\n", boundary),
		},
	})
	return written.info(""), err
}
