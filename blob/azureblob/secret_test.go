package azureblob

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// Whatever goes wrong, and wherever the secret comes from, nothing shows it: no
// error, no name of the store, no line of the SDK's log.
func TestSecrets(t *testing.T) {
	const secret = "c2VjcmV0c2VjcmV0" // base64 of "secretsecret"
	var logged strings.Builder
	var mu sync.Mutex
	azlog.SetListener(func(event azlog.Event, line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(&logged, event, line)
	})
	t.Cleanup(func() { azlog.SetListener(nil) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		refuse(w, 403, "AuthenticationFailed", "Server failed to authenticate the request.")
	}))
	t.Cleanup(server.Close)
	proxy := faultproxy.New(t, server.URL)
	root := "adls://account/box?endpoint=" + proxy.URL + "/account"
	for name, variables := range map[string]map[string]string{
		"key":                        {"AZURE_STORAGE_KEY": secret},
		"SAS":                        {"AZURE_STORAGE_SAS_TOKEN": "sv=2026-12-06&sig=" + secret},
		"connection string":          {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=account;AccountKey=" + secret},
		"connection string with SAS": {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=account;SharedAccessSignature=sv=2026-12-06&sig=" + secret},
		"client secret":              {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_SECRET": secret, "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, variables)
			mu.Lock()
			logged.Reset()
			mu.Unlock()
			uri := root
			if name == "client secret" {
				uri = "adls://account/box"
			}
			s := openRoot(t, uri)
			driverOf(s).transport.Stall = 50 * time.Millisecond
			said := []string{s.Root(), s.Address(), s.Driver().(driver.Identified).Identity(), fmt.Sprintf("%v", s)}
			if name == "client secret" {
				ours := driverOf(s)
				e := newEntra(ours.place)
				e.network.RoundTripper = roundTripper(func(*http.Request) (int, string, error) { return 400, `{"error": "invalid_request"}`, nil })
				c, err := credentials{}.client(ours.place, ours.transport, e)
				if err != nil {
					t.Fatal(err)
				}
				ours.client = c
			}
			for _, fault := range []faultproxy.Fault{nil, faultproxy.Drop(), faultproxy.Stall(), faultproxy.Answer(302, http.Header{"Location": {"http://127.0.0.1:1/"}}, ""),
				faultproxy.Answer(200, http.Header{"Content-Type": {"text/html"}}, "<title>Welcome</title>"), faultproxy.CutAfter(10)} {
				proxy.Reset()
				if fault != nil {
					proxy.Strike(-1, fault, faultproxy.Any)
				}
				for _, op := range operations {
					err := op.run(t.Context(), s)
					if err == nil {
						t.Errorf("%s is no error", op.name)
						continue
					}
					said = append(said, err.Error(), fmt.Sprintf("%+v", err))
				}
			}
			mu.Lock()
			said = append(said, logged.String())
			mu.Unlock()
			for _, form := range []string{secret, "secretsecret", base64.StdEncoding.EncodeToString([]byte(secret))} {
				if i := slices.IndexFunc(said, func(s string) bool { return strings.Contains(s, form) }); i >= 0 {
					t.Errorf("the secret is told: %s", said[i])
				}
			}
		})
	}
	// A malformed secret is not shown either.
	for _, variables := range []map[string]string{
		{"AZURE_STORAGE_KEY": secret + "!"}, {"AZURE_STORAGE_SAS_TOKEN": secret}, {"AZURE_STORAGE_CONNECTION_STRING": secret},
		{"AZURE_STORAGE_CONNECTION_STRING": "AccountName=account;AccountKey=" + secret + "!"},
		{"AZURE_STORAGE_CONNECTION_STRING": "AccountName=account;BlobEndpoint=https://account:" + secret + "@host;AccountKey=" + secret},
	} {
		environment(t, variables)
		if _, err := blob.Open(t.Context(), "adls://account/box"); !blob.Is(err, blob.Invalid) || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%v", err)
		}
	}
}
