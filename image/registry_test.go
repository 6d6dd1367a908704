package image

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

var quiet = log.New(io.Discard, "", 0)

// server is a registry in this process that remembers its requests.
type server struct {
	*httptest.Server
	host string

	mutex    sync.Mutex
	requests []string
}

// start starts a registry; wrap, if given, stands before it.
func start(t *testing.T, wrap func(http.Handler) http.Handler) *server {
	t.Helper()
	handler := registry.New(registry.Logger(quiet))
	if wrap != nil {
		handler = wrap(handler)
	}
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mutex.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		s.mutex.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	s.host = strings.TrimPrefix(s.URL, "http://")
	return s
}

// asked returns the requests since it was last called.
func (s *server) asked() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

// count counts requests of a method whose path contains something.
func count(requests []string, method, part string) (n int) {
	for _, r := range requests {
		if strings.HasPrefix(r, method+" ") && strings.Contains(r, part) {
			n++
		}
	}
	return n
}

func (s *server) repository() string { return s.host + "/team/program" }

// quickly is for tests that provoke failures.
func quickly(s *settings) {
	s.backoff = remote.Backoff{Duration: time.Millisecond, Factor: 1, Steps: 3}
	s.logger = slog.New(slog.DiscardHandler)
}

// publish makes sure of the image as a program of its own would.
func publish(t *testing.T, repository string, options ...Option) string {
	t.Helper()
	reference, _, err := FromSelf(repository, append([]Option{quickly}, options...)...)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

func fetch(t *testing.T, reference string) (v1.Image, *v1.ConfigFile) {
	t.Helper()
	parsed, err := name.NewDigest(reference)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(parsed, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return image, config
}

// hello builds the program of testdata, once for each kind.
func hello(t *testing.T, environment ...string) string {
	t.Helper()
	path, err := helloOf(strings.Join(environment, " "))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	scratch string
	hellos  sync.Map // environment → func() error
)

func helloOf(environment string) (string, error) {
	folder := filepath.Join(scratch, strings.NewReplacer(" ", "-", "=", "-").Replace(environment))
	path := filepath.Join(folder, "hello")
	build := sync.OnceValue(func() error {
		command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./testdata/hello")
		command.Env = append(os.Environ(), strings.Fields(environment)...)
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	once, _ := hellos.LoadOrStore(environment, build)
	return path, once.(func() error)()
}

func static(t *testing.T) Option {
	return Binary(hello(t, "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"))
}

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "mops-image-test-"); err != nil {
		log.Fatal(err)
	}
	os.Setenv("DOCKER_CONFIG", scratch) // no credentials of the user who runs the test
	os.Unsetenv("DOCKER_AUTH_CONFIG")
	if err := os.WriteFile(filepath.Join(scratch, "config.json"), []byte("{}"), 0o600); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}
