package emulator

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"hash"
	"hash/crc32"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"

	"github.com/TrilliantHealth/mops-go/internal/faultproxy"
)

// S3 starts gofakes3, in memory, until the test ends. What it does differently
// from S3 is mended, as far as it matters:
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
//
// It sets variables of this process, so that the SDK finds credentials and a
// region and looks nowhere else, here and in child processes; see environment.
func S3(tb testing.TB) *Server {
	tb.Helper()
	setEnvironment()
	store := newS3Store()
	server := httptest.NewUnstartedServer(faithful{store, gofakes3.New(store).Server()})
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // gofakes3 answers twice where a client leaves early
	server.Start()
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return &Server{
		Name:      "gofakes3",
		URL:       server.URL,
		Throttled: S3Error(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate."),
		Failed:    S3Error(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."),
		root: func(tb testing.TB, endpoint, name string) string {
			tb.Helper()
			if err := store.CreateBucket(name); err != nil {
				tb.Fatal(err)
			}
			return "s3://" + name + "/a/root?endpoint=" + url.QueryEscape(endpoint)
		},
	}
}

// S3Error answers as S3 does when it refuses (Amazon S3 API Reference, "Error
// responses"). More is further elements of the answer.
func S3Error(status int, code, message string, more ...string) faultproxy.Fault {
	const id = "4442587FB7D0A2F9"
	return faultproxy.Answer(status, http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {id}},
		xml.Header+"<Error><Code>"+code+"</Code><Message>"+message+"</Message>"+strings.Join(more, "")+"<RequestId>"+id+"</RequestId></Error>")
}

// environment is what programs that use the emulator have in theirs. Files of
// the user are left out, and the machine is not asked for credentials.
var environment = map[string]string{
	"AWS_ACCESS_KEY_ID":           "emulator",
	"AWS_SECRET_ACCESS_KEY":       "emulator-secret",
	"AWS_REGION":                  "us-east-1",
	"AWS_CONFIG_FILE":             os.DevNull,
	"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	"AWS_EC2_METADATA_DISABLED":   "true",
}

// setEnvironment does not set anything back, so that tests may run in parallel.
var setEnvironment = sync.OnceFunc(func() {
	for name, value := range environment {
		os.Setenv(name, value)
	}
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"} {
		os.Unsetenv(name)
	}
})

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
