package image

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const secret = "hunter2-in-plain-sight"

// somebody has credentials for every registry.
type somebody struct{}

func (somebody) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "somebody", Password: secret}, nil
}

// answering stands before a registry and answers the start of an upload itself.
func answering(status int, body string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				next.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(status)
			w.Write([]byte(body))
		})
	}
}

// guarded lets nobody in without the password.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
			w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// torn breaks the connection in place of the answer to a layer, which was sent to a URL
// with a token.
func torn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			w.Header().Set("Location", "/upload?token="+secret)
			w.WriteHeader(http.StatusAccepted)
		case http.MethodPatch:
			io.Copy(io.Discard, r.Body) // else the client may see that it cannot write
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func TestErrors(t *testing.T) {
	for what, c := range map[string]struct {
		wrap    func(http.Handler) http.Handler
		options []Option
		want    string // REGISTRY stands for its address
	}{
		"no credentials": {guarded, nil,
			"image: pushing to REGISTRY/team/program: REGISTRY answered 401 Unauthorized; no credentials for it were found: docker login REGISTRY, or what your registry has in its place, writes them; or set image.Keychain"},
		"wrong credentials": {answering(401, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`), []Option{Keychain(somebody{})},
			"answered 401 Unauthorized (UNAUTHORIZED: authentication required); the credentials that were found are not valid, or no longer"},
		"not allowed": {answering(403, `{"errors":[{"code":"DENIED","message":"permission\n denied"}]}`), []Option{Keychain(somebody{})},
			"answered 403 Forbidden (DENIED: permission denied); whose credentials were found may not do that with REGISTRY/team/program: ask for the right"},
		"not allowed, as Docker Hub says it": {answering(401, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`), []Option{Keychain(somebody{})},
			"whose credentials were found may not do that"},
		"no repository": {answering(404, `{"errors":[{"code":"NAME_UNKNOWN","message":"The repository does not exist"}]}`), nil,
			"answered 404 Not Found (NAME_UNKNOWN: The repository does not exist); is REGISTRY/team/program spelled right? Some registries want it to be created first"},
		"too large":      {answering(413, "<html>too large</html>"), nil, "answered 413 Request Entity Too Large; the program is larger than"},
		"too often":      {answering(429, ""), nil, "answered 429 Too Many Requests; it limits how many requests it answers"},
		"failing":        {answering(500, "at com.example.Registry.java"), nil, "answered 500 Internal Server Error; that is a failure of the registry"},
		"something else": {answering(418, ""), nil, "answered 418 I'm a teapot; the registry did not take the request as it was made"},
		"torn":           {torn, nil, "image: pushing to REGISTRY/team/program: EOF"},
	} {
		t.Run(what, func(t *testing.T) {
			s := start(t, c.wrap)
			_, _, err := FromSelf(s.repository(), append(c.options, static(t), quickly)...)(t.Context())
			checkText(t, err, strings.ReplaceAll(c.want, "REGISTRY", s.host))
			if _, ok := errors.AsType[*transport.Error](err); !ok && what != "torn" {
				t.Errorf("what the registry answered is not behind it: %#v", err)
			}
		})
	}
}

func checkText(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	if strings.Contains(err.Error(), secret) || strings.ContainsAny(err.Error(), "\n<") {
		t.Errorf("there is a secret, or a page, in %v", err)
	}
}

func TestCredentials(t *testing.T) {
	s := start(t, guarded)
	publish(t, s.repository(), static(t), Keychain(somebody{}))
	// {"auth": base64 of somebody:hunter2-in-plain-sight}
	t.Setenv("DOCKER_AUTH_CONFIG", `{"auths":{"`+s.host+`":{"auth":"c29tZWJvZHk6aHVudGVyMi1pbi1wbGFpbi1zaWdodA=="}}}`)
	publish(t, s.repository(), static(t))
	publish(t, s.repository(), static(t), Keychain(environment{}))
}

func TestCredentialsThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(`{"credHelpers":{"127.0.0.1:1":"of-nobody"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", folder)
	_, _, err := FromSelf("127.0.0.1:1/a", static(t), quickly)(t.Context())
	checkText(t, err, `the credentials for 127.0.0.1:1 could not be read: error getting credentials - err: exec: "docker-credential-of-nobody": executable file not found`)
}

// As most registries do, this one gives a token for credentials.
func TestToken(t *testing.T) {
	s := start(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, password, _ := r.BasicAuth()
			switch {
			case r.URL.Path == "/token" && password == secret && r.URL.Query().Get("scope") == "repository:team/program:push,pull":
				w.Write([]byte(`{"token":"open sesame"}`))
			case r.Header.Get("Authorization") == "Bearer open sesame":
				next.ServeHTTP(w, r)
			default:
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="here"`)
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
	})
	publish(t, s.repository(), static(t), Keychain(somebody{}))
	s.asked()
	publish(t, s.repository(), static(t), Keychain(somebody{}))
	if requests := s.asked(); len(requests) != 3 {
		t.Errorf("when it is there, %q is asked", requests)
	}
}

func TestRegistryThatIsNotThere(t *testing.T) {
	s := start(t, nil)
	s.Close()
	_, _, err := FromSelf(s.repository(), static(t), quickly)(t.Context())
	checkText(t, err, s.host+" cannot be reached: dial tcp "+s.host+": connect: connection refused; is the name right")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the cause is lost: %#v", err)
	}
}

func TestRegistryThatIsNotTrusted(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	s.Config.ErrorLog = quiet
	defer s.Close()
	_, _, err := FromSelf(strings.TrimPrefix(s.URL, "https://")+"/a", static(t), quickly)(t.Context())
	checkText(t, err, "is not trusted: tls: failed to verify certificate: x509: certificate signed by unknown authority; add its authority to this machine's")
}

func TestPlainHTTP(t *testing.T) {
	s := start(t, nil)
	_, mismatch := http.Get("https://" + s.host)
	get := func(url string, insecure bool) error {
		request, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := private{http.DefaultTransport, insecure}.RoundTrip(request)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	r := &repository{name: name.MustParseReference("registry.example.com/a").Context()}
	for _, err := range []error{mismatch, get("http://10.1.2.3/", false), get("http://registry.example.com/", false)} {
		checkText(t, r.explain(t.Context(), "pushing", err), "registry.example.com speaks plain http, by which all can be read on the way; if that is fine, set image.Insecure()")
	}
	if err := errors.Join(get(s.URL, false), get(s.URL, true)); err != nil {
		t.Errorf("a registry on this machine: %v", err)
	}
}

func TestNamesOfRepositories(t *testing.T) {
	for _, repository := range []string{"", "example.com/a:latest", "example.com/A", "https://example.com/a", "example.com/a@sha256:" + strings.Repeat("0", 64)} {
		_, _, err := FromSelf(repository, static(t), quickly)(t.Context())
		checkText(t, err, "is no name of a repository: ")
	}
}
