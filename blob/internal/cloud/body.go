package cloud

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// Body is a blob, or a part of one, on its way in. It ends with an error of kind
// Unavailable where the connection breaks, also when the SDK takes that for the
// end, and of kind Corrupt where the checksum is wrong.
type Body struct {
	io.ReadCloser
	Transport *Transport
	Length    int64 // bytes that are to come

	// Sum, Want: the checksum that the service told of the bytes; nil where it
	// told none, or of the whole blob when only a part is read.
	Sum  hash.Hash
	Want []byte

	read int64
}

func (b *Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if b.Sum != nil {
		b.Sum.Write(p[:n])
	}
	switch {
	case err == io.EOF && b.read < b.Length:
		return n, &driver.Error{Kind: driver.Unavailable, Err: fmt.Errorf("the connection ended after %d of %d bytes: %w", b.read, b.Length, io.ErrUnexpectedEOF)}
	case err == io.EOF && b.Sum != nil && string(b.Sum.Sum(nil)) != string(b.Want):
		return n, &driver.Error{Kind: driver.Corrupt, Err: fmt.Errorf("the checksum of what came is %x, and should be %x", b.Sum.Sum(nil), b.Want)}
	case err == io.EOF:
		return n, io.EOF
	}
	return n, b.Transport.Failure(err)
}

// Slurp implements driver.Slurper by one Get.
func Slurp(ctx context.Context, from driver.Store, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	body, info, err := from.Get(ctx, key, driver.Range{})
	if err != nil {
		return buf, driver.Info{}, err
	}
	defer body.Close()
	data, err := slurp(buf, body, info.Size, limit)
	return data, info, err
}

// slurp appends all of a body of size bytes, which are limit at the most, to buf.
func slurp(buf []byte, body io.Reader, size, limit int64) ([]byte, error) {
	if err := driver.CheckSize(size, limit); err != nil {
		return buf, err
	}
	begin := len(buf)
	if need := begin + int(size) + 1; cap(buf) < need { // one more, to see the end
		buf = append(make([]byte, 0, need), buf...)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		if int64(len(buf)-begin) > limit { // the service told another size
			return buf[:begin], driver.CheckSize(int64(len(buf)-begin), limit)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf[:begin], err
		}
	}
}

// BehindEnd is the answer to a Get whose part the service refused to read, since
// it begins at the blob's end or behind it: no bytes. Info and err are what a
// Stat said of the blob after that.
func BehindEnd(part driver.Range, info driver.Info, err error) (io.ReadCloser, driver.Info, error) {
	if err == nil && info.Size > part.Offset {
		err = &driver.Error{Kind: driver.Unavailable, Err: errors.New("the blob was replaced at this moment")}
	}
	return http.NoBody, info, err
}
