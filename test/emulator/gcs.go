package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// startGCS starts fake-gcs-server. Objects are kept in memory: in files, that server
// keeps no object "a" beside an "a/b", and readers may see half of a write.
func startGCS() (*server, error) {
	fake, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true})
	if err != nil {
		return nil, err
	}
	listening := httptest.NewServer(&gcs{fake, fake.HTTPHandler()})
	return &server{
		Name: "fake-gcs-server", URL: listening.URL,
		newRoot: func(endpoint, name string) (string, error) {
			fake.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name})
			return "gs://" + name + "/root?endpoint=" + url.QueryEscape(endpoint), nil
		},
		stop: func() {
			listening.CloseClientConnections()
			listening.Close()
			fake.Stop()
		},
	}, nil
}

// gcs is fake-gcs-server, except where the service does otherwise.
type gcs struct {
	fake    *fakestorage.Server
	handler http.Handler
}

func (g *gcs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-GUploader-UploadID", emulator.GCSHeader.Get("X-GUploader-UploadID"))
	bucket, object, isJSON := addressed(r.URL)
	_, err := g.fake.Backend().GetBucket(bucket)
	exists := err == nil
	switch {
	case !isJSON && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		g.content(w, r, exists, bucket, object)
	case isJSON && !exists:
		refuse(w, http.StatusNotFound, "notFound", "The specified bucket does not exist.")
	case r.Method == http.MethodPost && strings.HasSuffix(object, "/compose"):
		g.compose(w, r, bucket, strings.TrimSuffix(object, "/compose"))
	default:
		g.handler.ServeHTTP(w, r)
	}
}

// addressed takes apart the path of a request to either API, JSON or XML.
func addressed(u *url.URL) (bucket, object string, isJSON bool) {
	path := strings.TrimPrefix(u.EscapedPath(), "/upload")
	path, isJSON = strings.CutPrefix(path, "/storage/v1/b/")
	bucket, object, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if isJSON {
		object = strings.TrimPrefix(object, "o/")
	}
	object, _ = url.PathUnescape(object)
	return bucket, object, isJSON
}

// content is GET Object of the XML API. fake-gcs-server tells the time of the write in
// local time as if it were GMT, and its 404 has no code:
// https://cloud.google.com/storage/docs/xml-api/reference-status
func (g *gcs) content(w http.ResponseWriter, r *http.Request, exists bool, bucket, name string) {
	object, err := g.fake.GetObjectStreaming(bucket, name)
	if err != nil {
		code := map[bool]string{true: "NoSuchKey", false: "NoSuchBucket"}[exists]
		w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
		w.WriteHeader(http.StatusNotFound)
		xml.NewEncoder(w).Encode(struct {
			XMLName       xml.Name `xml:"Error"`
			Code, Message string
		}{Code: code, Message: "The specified key or bucket does not exist."})
		return
	}
	defer object.Close()
	h := w.Header()
	h.Set("Content-Type", object.ContentType)
	h.Set("X-Goog-Generation", fmt.Sprint(object.Generation))
	h.Set("X-Goog-Stored-Content-Length", fmt.Sprint(object.Size))
	h.Add("X-Goog-Hash", "crc32c="+object.Crc32c)
	h.Add("X-Goog-Hash", "md5="+object.Md5Hash)
	http.ServeContent(w, r, "", object.Created.Truncate(time.Second), object.Content)
}

// compose is https://cloud.google.com/storage/docs/json_api/v1/objects/compose.
// fake-gcs-server has it without preconditions and deleteSourceObjects.
func (g *gcs) compose(w http.ResponseWriter, r *http.Request, bucket, name string) {
	var request struct {
		Destination   struct{ Metadata map[string]string }
		SourceObjects []struct{ Name string }
		Delete        bool `json:"deleteSourceObjects"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || len(request.SourceObjects) == 0 || len(request.SourceObjects) > 32 {
		refuse(w, http.StatusBadRequest, "invalid", "The number of source components is 0, or exceeds the maximum of 32.")
		return
	}
	var contents []io.Reader
	for _, source := range request.SourceObjects {
		object, err := g.fake.GetObjectStreaming(bucket, source.Name)
		if err != nil {
			refuse(w, http.StatusNotFound, "notFound", "No such object: "+bucket+"/"+source.Name)
			return
		}
		defer object.Close()
		contents = append(contents, object.Content)
	}
	// An upload of what the parts hold has the condition.
	query := url.Values{"uploadType": {"media"}, "name": {name}, "ifGenerationMatch": r.URL.Query()["ifGenerationMatch"]}
	upload := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/upload/storage/v1/b/"+bucket+"/o?"+query.Encode(), io.MultiReader(contents...))
	for key, value := range request.Destination.Metadata {
		upload.Header.Set("X-Goog-Meta-"+key, value)
	}
	answer := httptest.NewRecorder()
	g.handler.ServeHTTP(answer, upload)
	if request.Delete && answer.Code == http.StatusOK {
		for _, source := range request.SourceObjects {
			g.fake.Backend().DeleteObject(bucket, source.Name)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// refuse answers as the JSON API does.
func refuse(w http.ResponseWriter, status int, reason, message string) {
	w.Header().Set("Content-Type", emulator.GCSHeader.Get("Content-Type"))
	w.WriteHeader(status)
	io.WriteString(w, emulator.GCSErrorBody(status, reason, message))
}
