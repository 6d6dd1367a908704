package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func TestConfig(t *testing.T) {
	s := start(t, nil)
	reference := publish(t, s.repository(), static(t))
	if !regexp.MustCompile(`^` + regexp.QuoteMeta(s.repository()) + `@sha256:[0-9a-f]{64}$`).MatchString(reference) {
		t.Errorf("%q is no image by its digest", reference)
	}
	image, config := fetch(t, reference)
	config.RootFS.DiffIDs = nil // other tests look at the layers
	got, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(got)+"\n" != string(want) {
		t.Errorf("the configuration is\n%s\nnot that of testdata/config.json", got)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Layers) != 2 {
		t.Errorf("%d layers, want 2", len(manifest.Layers))
	}
	for _, d := range append(manifest.Layers, manifest.Config) {
		if !strings.HasPrefix(string(d.MediaType), "application/vnd.oci.image.") {
			t.Errorf("media type %s", d.MediaType)
		}
	}
}

// The digests of uncompressed layers depend on nothing but content: neither on
// times, owners and masks, nor on the version of the compressor.
func TestLayerIsDeterministic(t *testing.T) {
	folder := t.TempDir()
	for name, mode := range map[string]os.FileMode{"b/run": 0o700, "a": 0o600} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	digests := map[string]bool{}
	for _, when := range []time.Time{time.Unix(1e9, 0), time.Unix(2e9, 0)} {
		if err := os.Chtimes(filepath.Join(folder, "a"), when, when); err != nil {
			t.Fatal(err)
		}
		entries, err := files{folder, "/data"}.entries()
		if err != nil {
			t.Fatal(err)
		}
		l, err := layer("application/x", append([]entry{{path: "/tmp", mode: 0o1777}, text("/etc/x", "y")}, entries...))
		if err != nil {
			t.Fatal(err)
		}
		compressed, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests[compressed.String()] = true
		uncompressed, err := l.DiffID()
		if err != nil {
			t.Fatal(err)
		}
		if want := "sha256:7aa955d37c03e1af0265f83ba9864a818d8e42a64d66b94da9485c49d0f81635"; uncompressed.String() != want {
			t.Errorf("the layer is %s, not %s", uncompressed, want)
		}
	}
	if len(digests) != 1 {
		t.Errorf("one content has the digests %v", digests)
	}
}

func TestNothingIsPushedTwice(t *testing.T) {
	s := start(t, nil)
	first := publish(t, s.repository(), static(t))
	requests := s.asked()
	if puts, posts := count(requests, "PUT", "/manifests/"), count(requests, "POST", "/blobs/uploads/"); puts != 1 || posts != 3 {
		t.Errorf("the first push put %d manifests and %d blobs, want 1 and 3 (two layers, the configuration):\n%s", puts, posts, strings.Join(requests, "\n"))
	}
	if len(requests) != 15 {
		t.Errorf("the first push takes %d requests, want 15:\n%s", len(requests), strings.Join(requests, "\n"))
	}

	if again := publish(t, s.repository(), static(t)); again != first {
		t.Errorf("the second is %s, the first was %s", again, first)
	}
	digest := first[strings.Index(first, "sha256:")+len("sha256:"):]
	want := []string{"GET /v2/", "HEAD /v2/team/program/manifests/mops-" + digest[:16]}
	if requests := s.asked(); !slices.Equal(requests, want) {
		t.Errorf("when it is there, %q is asked, want %q", requests, want)
	}

	// Another program has the rest in common.
	publish(t, s.repository(), Binary(hello(t, "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-tags=another")))
	if posts := count(s.asked(), "POST", "/blobs/uploads/"); posts != 2 {
		t.Errorf("a changed program sends %d blobs, want 2", posts)
	}
}

func TestOnePushForAllCallers(t *testing.T) {
	s := start(t, nil)
	image := FromSelf(s.repository(), quickly, static(t))
	references := make([]string, 16)
	var group sync.WaitGroup
	for i := range references {
		group.Go(func() {
			var err error
			if references[i], _, err = image(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if distinct := slices.Compact(references); len(distinct) != 1 {
		t.Errorf("the callers got %q", distinct)
	}
	if puts := count(s.asked(), "PUT", "/manifests/"); puts != 1 {
		t.Errorf("%d pushes", puts)
	}
}

// As two processes would: they know nothing of each other.
func TestPushesAtTheSameTime(t *testing.T) {
	s := start(t, nil)
	program := static(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, _, err := FromSelf(s.repository(), quickly, program)(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// A registry whose tags are immutable refuses the tag that another process has
// just put.
func TestTagThatAppearsMeanwhile(t *testing.T) {
	s := start(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
				r.URL.Path = strings.Replace(r.URL.Path, "mops-", "other-", 1)
				next.ServeHTTP(discard{}, r)
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	fetch(t, publish(t, s.repository(), static(t)))
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// A caller that waits for another's push leaves when its own context ends; a push
// that failed is tried again by the next.
func TestCallersContext(t *testing.T) {
	arrived, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := start(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			once.Do(func() { close(arrived) })
			<-hold
			next.ServeHTTP(w, r)
		})
	})
	image := FromSelf(s.repository(), quickly, static(t))
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error)
	go func() {
		_, _, err := image(ctx)
		failed <- err
	}()
	<-arrived
	mine := errors.New("enough")
	waiting, leave := context.WithCancelCause(t.Context())
	leave(mine)
	if _, _, err := image(waiting); !errors.Is(err, mine) {
		t.Errorf("who waited got %v", err)
	}
	cancel(mine)
	if err := <-failed; !errors.Is(err, mine) {
		t.Errorf("who pushed got %v", err)
	}
	close(hold)
	if _, _, err := image(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFiles(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"words.txt": "words", "sub/run.sh": "run"} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(content), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("words.txt", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	s := start(t, nil)
	image, _ := fetch(t, publish(t, s.repository(), static(t), Files(folder, "/data"), Files(filepath.Join(folder, "words.txt"), "/etc/words")))
	content := mutate.Extract(image)
	defer content.Close()
	got := map[string]string{}
	untar(t, content, func(name string, mode os.FileMode, data []byte) {
		got[name] = mode.String() + " " + string(data[:min(len(data), 5)])
	})
	for name, want := range map[string]string{
		"data/words.txt": "-rw-r--r-- words", "data/sub/run.sh": "-rw-r--r-- run", "data/link": "-rw-r--r-- words", "etc/words": "-rw-r--r-- words",
		"usr/local/bin/hello": "-rwxr-xr-x \x7fELF\x02", "tmp": "dtrwxrwxrwx ", "etc/passwd": "-rw-r--r-- root:",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

func TestLongPushIsTold(t *testing.T) {
	told := make(chan struct{})
	tell := sync.OnceFunc(func() { close(told) }) // it is told again and again
	var log bytes.Buffer
	handler := slog.NewTextHandler(writer(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("pushing")) {
			tell()
		}
		return log.Write(p)
	}), nil)
	s := start(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				<-told
			}
			next.ServeHTTP(w, r)
		})
	})
	tellAfter := func(d time.Duration) Option { return func(s *settings) { s.quiet = d } }
	publish(t, s.repository(), static(t), tellAfter(50*time.Millisecond), Logger(slog.New(handler)))
	if text := log.String(); strings.Count(text, "\n") < 2 || !strings.Contains(text, "MB") || !strings.Contains(text, "is pushed") {
		t.Errorf("the log is\n%s", text)
	}
	log.Reset()
	publish(t, s.repository(), static(t), tellAfter(time.Hour), Logger(slog.New(handler)))
	if log.Len() > 0 {
		t.Errorf("without a push, the log is\n%s", log.String())
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

var _ io.Writer = writer(nil)
