package azureblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/TrilliantHealth/mops-go/blob"
)

// roundTripper is Entra.
type roundTripper func(*http.Request) (int, string, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, err := f(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// servicePrincipal is what Entra answers about itself, and tokens to the principal.
func servicePrincipal(token roundTripper) roundTripper {
	return func(r *http.Request) (int, string, error) {
		base := "https://" + r.URL.Host
		if asked, err := url.Parse(r.URL.Query().Get("authorization_endpoint")); err == nil && asked.Host != "" {
			base = "https://" + asked.Host // one that is not Microsoft's own
		}
		switch {
		case strings.Contains(r.URL.Path, "/discovery/instance"):
			return 200, fmt.Sprintf(`{"tenant_discovery_endpoint": "%s/tenant/v2.0/.well-known/openid-configuration", "metadata": []}`, base), nil
		case strings.Contains(r.URL.Path, "openid-configuration"):
			return 200, fmt.Sprintf(`{"token_endpoint": "%[1]s/tenant/token", "authorization_endpoint": "%[1]s/tenant/authorize", "issuer": "%[1]s/tenant"}`, base), nil
		}
		return token(r)
	}
}

func askEntra(ctx context.Context, t *testing.T, uri string, network roundTripper) (azcore.AccessToken, error) {
	t.Helper()
	p, err := parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	e := newEntra(p)
	e.network.RoundTripper = network
	return e.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}})
}

var principal = map[string]string{"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client", "AZURE_CLIENT_SECRET": "hush"}

func TestEntra(t *testing.T) {
	environment(t, principal)
	for uri, host := range map[string]string{
		"adls://account/box": "login.microsoftonline.com",
		"adls://account/box?endpoint=https://account.blob.core.chinacloudapi.cn":  "login.chinacloudapi.cn",
		"adls://account/box?endpoint=https://account.blob.core.usgovcloudapi.net": "login.microsoftonline.us",
	} {
		token, err := askEntra(t.Context(), t, uri, servicePrincipal(func(r *http.Request) (int, string, error) {
			if r.URL.Host != host {
				t.Errorf("%s asked %s", uri, r.URL.Host)
			}
			return 200, `{"access_token": "granted", "expires_in": 3600, "token_type": "Bearer"}`, nil
		}))
		if err != nil || token.Token != "granted" {
			t.Errorf("%s: %q, %v", uri, token.Token, err)
		}
	}
	t.Setenv("AZURE_AUTHORITY_HOST", "https://login.example/")
	private := servicePrincipal(func(*http.Request) (int, string, error) {
		return 200, `{"access_token": "granted", "expires_in": 3600, "token_type": "Bearer"}`, nil
	})
	_, err := askEntra(t.Context(), t, "adls://account/box?endpoint=https://account.blob.core.chinacloudapi.cn", func(r *http.Request) (int, string, error) {
		if r.URL.Host != "login.example" {
			t.Errorf("%s was asked, too", r.URL.Host)
		}
		return private(r)
	})
	if err != nil {
		t.Error(err)
	}
}

// A pod with a workload identity is told what that consists of.
func TestWorkloadIdentityIsRefused(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment(t, map[string]string{"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client", "AZURE_FEDERATED_TOKEN_FILE": token})
	_, err := askEntra(t.Context(), t, "adls://account/box", servicePrincipal(func(r *http.Request) (int, string, error) {
		if got := r.FormValue("client_assertion"); got != "hush" {
			t.Errorf("the token was %q", got)
		}
		return 401, `{"error": "invalid_client", "error_description": "AADSTS700213: No matching federated identity record found"}`, nil
	}))
	if !blob.Is(err, blob.Denied) || !strings.Contains(err.Error(), "federated credential of that identity") || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
}

func TestEntraFails(t *testing.T) {
	environment(t, principal)
	refuse := func(status int, body string) roundTripper {
		return servicePrincipal(func(*http.Request) (int, string, error) { return status, body, nil })
	}
	for name, c := range map[string]struct {
		network roundTripper
		kind    blob.Kind
		says    string
	}{
		"wrong secret": {refuse(401, `{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: 1 Correlation ID: 2", "error_codes": [7000215]}`),
			blob.Denied, "refused: AADSTS7000215: Invalid client secret provided; check"},
		"no JSON":  {refuse(403, "go away"), blob.Denied, "HTTP 403"},
		"overload": {refuse(429, `{}`), blob.Throttled, "HTTP 429"},
		"trouble":  {refuse(503, `{}`), blob.Throttled, "HTTP 503"},
		"ill":      {refuse(500, `{}`), blob.Unavailable, "HTTP 500"},
		"not up":   {refuse(404, `{}`), blob.Unavailable, "HTTP 404"},
		"cut off":  {func(*http.Request) (int, string, error) { return 0, "", io.ErrUnexpectedEOF }, blob.Unavailable, "the connection broke"},
		"wrong way": {func(*http.Request) (int, string, error) {
			return 0, "", &net.DNSError{Name: "login.example", IsNotFound: true}
		}, blob.Invalid, "no host login.example"},
	} {
		_, err := askEntra(t.Context(), t, "adls://account/box", c.network)
		if !blob.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "Trace ID") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: that is more than should be shown: %v", name, err)
		}
		if _, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); !ok && c.kind == blob.Denied {
			t.Errorf("%s: the SDK's error is lost", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := askEntra(ctx, t, "adls://account/box", func(*http.Request) (int, string, error) { cancel(); return 0, "", context.Canceled })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Without credentials, the first operation says what to do, at once and not
// after all tries; others that ask at that moment get the same answer.
func TestNoCredentials(t *testing.T) {
	environment(t, map[string]string{"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"})
	s := openRoot(t, "adls://account/box")
	for _, op := range operations {
		err := op.run(t.Context(), blob.Retry(s, blob.RetryPolicy{}))
		if !blob.Is(err, blob.Denied) || !strings.Contains(err.Error(), ": permission denied: no credentials for Azure were found: set AZURE_STORAGE_KEY") || len(err.Error()) > 300 {
			t.Errorf("%s: %v", op.name, err)
		}
		for cause := err; ; {
			if cause = errors.Unwrap(cause); cause == nil {
				t.Errorf("%s: the SDK's error is lost", op.name)
			} else if strings.Contains(cause.Error(), "missing environment variable AZURE_TENANT_ID") {
				break
			}
		}
	}
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "guess")
	if err := opRead.run(t.Context(), openRoot(t, "adls://account/box")); !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "AZURE_TOKEN_CREDENTIALS") {
		t.Errorf("%v", err)
	}
}

// The whole chain, on a machine that has nothing of it.
func TestNothingToSignInWith(t *testing.T) {
	environment(t, nil)
	t.Setenv("PATH", t.TempDir()) // without az, azd and pwsh
	probed := 0
	_, err := askEntra(t.Context(), t, "adls://account/box", func(r *http.Request) (int, string, error) {
		probed++
		return 0, "", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	})
	if !blob.Is(err, blob.Denied) || !strings.Contains(err.Error(), "run az login") || probed != 1 {
		t.Errorf("after %d requests: %v", probed, err)
	}
}

func TestRefusalIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		refusing := credential(func() error { asked++; return azidentity.NewCredentialUnavailableError("none") })
		e := &entra{network: &network{}, ask: func() (azcore.TokenCredential, error) { return refusing, nil }}
		for want := range 3 {
			for range 10 {
				if _, err := e.GetToken(t.Context(), policy.TokenRequestOptions{}); !blob.Is(err, blob.Denied) {
					t.Error(err)
				}
			}
			if asked != want+1 {
				t.Errorf("it was asked for %d times, want %d", asked, want+1)
			}
			time.Sleep(denialAge)
		}
	})
}

type credential func() error

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, c()
}
