package main

import (
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// startS3 starts gofakes3, in memory. What it does differently from S3 is mended, as
// far as it matters:
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
func startS3() (*server, error) {
	store := newS3Store()
	listening := httptest.NewUnstartedServer(faithful{store, gofakes3.New(store).Server()})
	listening.Config.ErrorLog = log.New(io.Discard, "", 0) // gofakes3 answers twice where a client leaves early
	listening.Start()
	return &server{
		Name: "gofakes3", URL: listening.URL,
		newRoot: func(endpoint, name string) (string, error) {
			return "s3://" + name + "/a/root?endpoint=" + url.QueryEscape(endpoint), store.CreateBucket(name)
		},
		stop: func() {
			listening.CloseClientConnections()
			listening.Close()
		},
	}, nil
}

// faithful does what gofakes3 leaves out.
type faithful struct {
	store *s3Store
	next  http.Handler
}

func (f faithful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	upload := r.URL.Query().Get("uploadId")
	switch {
	case r.Method == http.MethodPost && upload != "":
		f.store.setConditions(gofakes3.UploadID(upload), conditions(r.Header))
	case r.Method == http.MethodPut && r.Header.Get("If-Match") != "":
		if _, err := f.store.HeadObject(bucket, key); gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
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
	f.next.ServeHTTP(w, r)
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
