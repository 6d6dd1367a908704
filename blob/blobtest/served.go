package blobtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

const servedScheme = "served"

// RegisterServed registers the scheme of the URIs that [Serve] returns. It may
// be called more than once.
var RegisterServed = sync.OnceFunc(func() {
	blob.Register(servedScheme, func(_ context.Context, uri string) (driver.Store, error) {
		transport := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}
		return &client{base: "http" + strings.TrimPrefix(uri, servedScheme), http: &http.Client{Transport: transport}}, nil
	})
})

// client is a store that another process serves.
type client struct {
	base string
	http *http.Client
}

var _ driver.Clock = (*client)(nil)

func (c *client) do(ctx context.Context, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, &driver.Error{Kind: driver.Invalid, Err: err}
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	message, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	kind, err := strconv.Atoi(response.Header.Get(headerKind))
	if err != nil {
		kind = int(driver.Unavailable)
	}
	return nil, &driver.Error{Kind: driver.Kind(kind), Err: errors.New(strings.TrimSpace(response.Status + " " + string(message)))}
}

func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[bodyError](err); ok {
		return e.error
	}
	return &driver.Error{Kind: driver.Unavailable, Err: err}
}

// ask is do for answers that are all in the headers.
func (c *client) ask(ctx context.Context, method, path, key string, body io.Reader, header http.Header) (driver.Info, error) {
	response, err := c.do(ctx, method, path, body, header)
	if err != nil {
		return driver.Info{}, err
	}
	response.Body.Close()
	return infoOf(key, response.Header)
}

func pathOf(key string) string { return "/" + (&url.URL{Path: key}).EscapedPath() }

func (c *client) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	if part.Offset < 0 || part.Length < 0 {
		return nil, driver.Info{}, &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf("a range cannot be %+v", part)}
	}
	header := http.Header{}
	switch {
	case part.Length > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", part.Offset, part.Offset+part.Length-1))
	case part.Offset > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-", part.Offset))
	}
	response, err := c.do(ctx, http.MethodGet, pathOf(key), nil, header)
	if err != nil {
		return nil, driver.Info{}, err
	}
	info, err := infoOf(key, response.Header)
	return cuttable{ctx, response.Body}, info, err
}

// cuttable reports a body that was cut as Unavailable.
type cuttable struct {
	ctx context.Context
	io.ReadCloser
}

func (c cuttable) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = unreachable(c.ctx, err)
	}
	return n, err
}

func (c *client) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	header := http.Header{headerSize: {strconv.FormatInt(size, 10)}}
	if opts.IfAbsent {
		header.Set("If-None-Match", "*")
	}
	if opts.IfVersion != "" {
		header.Set("If-Match", string(opts.IfVersion))
	}
	return c.ask(ctx, http.MethodPut, pathOf(key), key, sent{body}, header)
}

// sent is a body on its way to the server, which compares its length. The wire
// does not know the length: net/http's own comparison would hide the server's.
type sent struct{ body io.Reader }

func (s sent) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err != nil && err != io.EOF {
		err = bodyError{err}
	}
	return n, err
}

// bodyError tells a body's own error from those of the connection.
type bodyError struct{ error }

func (c *client) Stat(ctx context.Context, key string) (driver.Info, error) {
	return c.ask(ctx, http.MethodHead, pathOf(key), key, nil, nil)
}

func (c *client) Now(ctx context.Context) (time.Time, error) {
	info, err := c.ask(ctx, http.MethodGet, "/?clock", "", nil, nil)
	return info.ModTime, err
}

func (c *client) Delete(ctx context.Context, key string) error {
	response, err := c.do(ctx, http.MethodDelete, pathOf(key), nil, nil)
	if err == nil {
		response.Body.Close()
	}
	return err
}

func (c *client) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		query := url.Values{"list": {prefix}, "start": {startAt}}
		response, err := c.do(ctx, http.MethodGet, "/?"+query.Encode(), nil, nil)
		if err != nil {
			yield(driver.Info{}, err)
			return
		}
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			info, err := parseListed(lines.Text())
			if !yield(info, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(driver.Info{}, unreachable(ctx, err))
		}
	}
}

func parseListed(line string) (info driver.Info, err error) {
	var key, version string
	var at int64
	if _, err := fmt.Sscan(line, &key, &info.Size, &at, &version); err != nil {
		return info, err
	}
	info.ModTime = time.Unix(0, at)
	info.Key, err = url.QueryUnescape(key)
	v, err2 := url.QueryUnescape(version)
	info.Version = driver.Version(v)
	return info, errors.Join(err, err2)
}

func (c *client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}
