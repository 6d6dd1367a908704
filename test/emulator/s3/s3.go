// Package s3 is gofakes3, which stands in for S3, nearer to it than it is by itself.
// Command emulator has it for tests on this machine, package cluster for pods.
package s3

import (
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// Server is gofakes3, in memory. What it does differently from S3 is mended, as far as
// it matters:
//
//   - conditions hold for CompleteMultipartUpload, too, and If-Match on an object
//     that is not there is 404 NoSuchKey (Amazon S3 User Guide, "How to prevent
//     object overwrites with conditional writes");
//   - x-amz-checksum-crc32 is verified, and told of objects in parts as well
//     ("Checking object integrity for data uploads in Amazon S3");
//   - a listing dates an object as HeadObject does, and a new object inherits
//     nothing from the one before.
//
// Still different: the ETag of an object in parts is the MD5 of its content, with
// no number of parts behind it; nobody's signature is verified; DeleteObject
// knows no conditions; and ConditionalRequestConflict never happens.
type Server struct {
	store *store
	next  http.Handler
}

// New returns a server without buckets.
func New() *Server {
	s := newStore()
	return &Server{s, gofakes3.New(s).Server()}
}

// NewRoot makes a bucket, and returns the URI of a root in it, as users write it who
// reach the server at the endpoint.
func (s *Server) NewRoot(endpoint, bucket string) (uri string, err error) {
	return "s3://" + bucket + "/a/root?endpoint=" + url.QueryEscape(endpoint), s.store.CreateBucket(bucket)
}

// ServeHTTP does what gofakes3 leaves out. Gofakes3 answers twice where a client leaves
// early, and an [http.Server] logs that.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	upload := r.URL.Query().Get("uploadId")
	switch {
	case r.Method == http.MethodPost && upload != "":
		s.store.setConditions(gofakes3.UploadID(upload), conditions(r.Header))
	case r.Method == http.MethodPut && r.Header.Get("If-Match") != "":
		if _, err := s.store.HeadObject(bucket, key); gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>")
			return
		}
	}
	if want := r.Header.Get("X-Amz-Checksum-Crc32"); want != "" {
		r.Body = &checkedBody{r.Body, crc32.NewIEEE(), want}
	}
	s.next.ServeHTTP(w, r)
}

func conditions(h http.Header) *gofakes3.PutConditions {
	c := &gofakes3.PutConditions{}
	if value := h.Get("If-None-Match"); value != "" {
		c.IfNoneMatch = &value
	}
	if value := h.Get("If-Match"); value != "" {
		c.IfMatch = &value
	}
	return c
}

// checkedBody fails at its end when the checksum is not the one that was sent.
type checkedBody struct {
	io.ReadCloser
	sum  hash.Hash32
	want string
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	if err == io.EOF && base64CRC32(b.sum.Sum32()) != b.want {
		return n, gofakes3.ErrBadDigest
	}
	return n, err
}

func base64CRC32(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}
