package s3blob

import (
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// A service whose certificate nobody knows is reached where AWS_CA_BUNDLE, or the
// profile, names the authority.
func TestBundleOfAuthorities(t *testing.T) {
	service := emulator.S3(t)
	address, err := url.Parse(service.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(address))
	defer server.Close()
	root := strings.ReplaceAll(service.Root(t), url.QueryEscape(service.URL), url.QueryEscape(server.URL))
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bundle := write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for _, test := range []struct{ name, variable, value, want string }{
		{"variable", "AWS_CA_BUNDLE", bundle, ""},
		{"profile", "AWS_CONFIG_FILE", write("config", "[default]\nca_bundle = "+bundle+"\n"), ""},
		{"none", "AWS_CA_BUNDLE", "", "certificate"},
		{"no file", "AWS_CA_BUNDLE", filepath.Join(dir, "gone.pem"), "gone.pem"},
		{"no bundle", "AWS_CA_BUNDLE", write("text.pem", "text"), "CA bundle"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.variable, test.value)
			s, err := blob.Open(t.Context(), root)
			if err == nil {
				defer s.Close()
				_, err = s.PutBytes(t.Context(), "key", []byte("content"), blob.PutOptions{})
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}
