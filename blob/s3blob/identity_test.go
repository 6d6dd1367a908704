package s3blob

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// A pod that EKS Pod Identity has given a token gets its credentials from the agent
// of its node, and from nowhere else:
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
func TestPodIdentity(t *testing.T) {
	root, proxy := emulator.S3(t).Behind(t)
	token := filepath.Join(t.TempDir(), "eks-pod-identity-token")
	if err := os.WriteFile(token, []byte("signed"), 0o600); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/v1/credentials" || r.Header.Get("Authorization") != "signed" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"AccessKeyId": "ASIAPOD", "SecretAccessKey": "hush", "Token": "session", "Expiration": %q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer agent.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.URL + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token,
	} {
		t.Setenv(name, value)
	}
	var others atomic.Int32
	proxy.Observe(func(r *http.Request) {
		if r.Header.Get("X-Amz-Security-Token") != "session" {
			others.Add(1)
		}
	})
	s, err := blob.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutBytes(t.Context(), "key", []byte("content"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ReadAll(t.Context(), "key", nil); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 1 || others.Load() > 0 || proxy.Requests() == 0 {
		t.Errorf("the agent was asked %d times, and %d of %d requests had not its token", asked.Load(), others.Load(), proxy.Requests())
	}
}
