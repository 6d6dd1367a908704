package gcsblob

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// secret stands in all that nobody must see.
const secret = "hush-hush"

// userFile is what `gcloud auth application-default login` leaves.
const userFile = `{"type":"authorized_user","client_id":"id","client_secret":"` + secret + `","refresh_token":"` + secret + `","quota_project_id":"payer"}`

// tokenServer is one of Google's: that of users, or of a machine.
type tokenServer struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func newTokenServer(t *testing.T) *tokenServer {
	s := &tokenServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	s.answers(200, `{"access_token":"`+secret+`","expires_in":3600,"token_type":"Bearer"}`)
	return s
}

func (s *tokenServer) answers(status int, body string) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
	s.answer.Store(&answer)
}

// only lets the process find no credentials but those in a file of this content,
// if it has any, or else those of a machine.
func only(t *testing.T, content, metadata string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("APPDATA", home)
	t.Setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "")
	t.Setenv("GCE_METADATA_HOST", metadata)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	if content == "" {
		return
	}
	path := filepath.Join(home, "credentials.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
}

// withTokens is a store that sends tokens though its endpoint may not get any.
func withTokens(t *testing.T, root string, server *tokenServer) *blob.Store {
	s := openStore(t, root)
	tokens := newTokens()
	tokens.url = server.URL
	s.Driver().(*store).tokens = tokens
	return s
}

func TestTokens(t *testing.T) {
	server := newTokenServer(t)
	address := strings.TrimPrefix(server.URL, "http://")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	keyFile, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "a@b", "private_key": string(inPEM), "private_key_id": "1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file, quota  string
		bearer       string // or how it begins
		payer        string
		tokenServers int32 // how often they are asked
	}{
		"user":            {userFile, "", "Bearer " + secret, "payer", 1},
		"user, by quota":  {userFile, "other", "Bearer " + secret, "other", 1},
		"service account": {string(keyFile), "", "Bearer ey", "", 0},
		"machine":         {"", "", "Bearer " + secret, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			only(t, c.file, address)
			t.Setenv("GOOGLE_CLOUD_QUOTA_PROJECT", c.quota)
			root, proxy := emulator.GCS(t).Behind(t)
			var got atomic.Pointer[http.Header]
			proxy.Observe(func(r *http.Request) { got.Store(&r.Header) })
			s := withTokens(t, root, server)
			server.asked.Store(0)
			for range 3 {
				if _, err := s.PutBytes(t.Context(), "blob", nil, blob.PutOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			header := *got.Load()
			if !strings.HasPrefix(header.Get("Authorization"), c.bearer) || header.Get("X-Goog-User-Project") != c.payer {
				t.Errorf("sent were %.20s…, payer %q", header.Get("Authorization"), header.Get("X-Goog-User-Project"))
			}
			if n := server.asked.Load(); n != c.tokenServers {
				t.Errorf("the token server was asked %d times, and should be %d", n, c.tokenServers)
			}
		})
	}
}

func TestNoTokens(t *testing.T) {
	server := newTokenServer(t)
	address := strings.TrimPrefix(server.URL, "http://")
	for name, c := range map[string]struct {
		file   string
		status int
		body   string
		kind   blob.Kind
		says   string
	}{
		"revoked":               {userFile, 400, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`, blob.Denied, "expired or revoked"},
		"no JSON":               {userFile, 400, secret, blob.Denied, "HTTP 400"},
		"token server busy":     {userFile, 503, secret, blob.Unavailable, "HTTP 503"},
		"broken file":           {`{"type":"authorized_user",` + secret, 200, "", blob.Denied, "gcloud auth application-default login"},
		"odd file":              {`{"type":"` + "none" + `"}`, 200, "", blob.Denied, "workload identity"},
		"bad key":               {`{"type":"service_account","client_email":"a@b","private_key":"` + secret + `"}`, 200, "", blob.Denied, "GOOGLE_APPLICATION_CREDENTIALS"},
		"machine of nobody":     {"", 404, "", blob.Denied, "workload identity"},
		"machine says nonsense": {"", 200, "[]", blob.Denied, "workload identity"},
	} {
		t.Run(name, func(t *testing.T) {
			only(t, c.file, address)
			server.answers(c.status, c.body)
			s := withTokens(t, "gs://bucket?endpoint=http://127.0.0.1:1", server)
			if c.kind == blob.Denied {
				s = blob.Retry(s, blob.RetryPolicy{}) // which asks once more, and no more
			}
			server.asked.Store(0)
			_, err := s.Stat(t.Context(), "blob")
			if !blob.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), secret) {
				t.Errorf("it is %q: %v", blob.KindOf(err), err)
			}
			if n := server.asked.Load(); n > 2 {
				t.Errorf("the token server was asked %d times", n)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		only(t, "", address)
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
		if _, err := withTokens(t, "gs://bucket", server).Stat(t.Context(), "blob"); !blob.Is(err, blob.Denied) || !strings.Contains(err.Error(), "none.json") {
			t.Error(err)
		}
	})
}

// A token server that does not answer holds nobody up for ever.
func TestSilentTokenServer(t *testing.T) {
	server := newTokenServer(t)
	silent := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() })
	server.answer.Store(&silent)
	only(t, userFile, "127.0.0.1:1")
	s := withTokens(t, "gs://bucket?endpoint=http://127.0.0.1:1", server)
	s.Driver().(*store).tokens.transport.Stall = 20 * time.Millisecond
	if _, err := s.Stat(t.Context(), "blob"); !blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), "stalled") {
		t.Errorf("it is not said that the connection stalled: %v", err)
	}
	s = withTokens(t, "gs://bucket?endpoint=http://127.0.0.1:1", server)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Stat(ctx, "blob"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the end of the context gave %v", err)
	}
}

// Whatever the service does, no secret of a request shows anywhere.
func TestSecretsAreKept(t *testing.T) {
	var logged syncbuf.Buffer // servers log in goroutines of their own
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)
	server := newTokenServer(t)
	only(t, userFile, "127.0.0.1:1")
	root, proxy := emulator.GCS(t).Behind(t)
	s := withTokens(t, root, server)
	identified := s.Driver().(*store).Identity()
	for name, fault := range map[string]faultproxy.Fault{
		"refused": faultproxy.Answer(401, nil, inJSON("authError", "Invalid Credentials")), "denied": faultproxy.Answer(403, nil, inXML("AccessDenied", "no")),
		"broken": faultproxy.Drop(), "request": faultproxy.Answer(400, nil, "odd"), "redirect": faultproxy.Answer(302, http.Header{"Location": {"http://127.0.0.1:1/" + secret}}, ""),
	} {
		proxy.Reset()
		proxy.Strike(-1, fault, faultproxy.Any)
		for operation, do := range operations(s, "17") {
			err := do(t.Context())
			if err == nil {
				t.Errorf("%s, %s: there is no error", name, operation)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, secret) {
					t.Errorf("%s, %s: %s", name, operation, text)
				}
			}
		}
	}
	if strings.Contains(s.Root()+identified+logged.String(), secret) {
		t.Errorf("a secret stands in %s, %s, or the log:\n%s", s.Root(), identified, &logged)
	}
}
