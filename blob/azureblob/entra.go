package azureblob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// denialAge is how long a refusal is remembered, for callers that ask at the
// same time: going through all ways to sign in takes seconds if most of them
// lead nowhere.
const denialAge = 5 * time.Second

// entra gets tokens by azidentity's DefaultAzureCredential, and says in a few
// words what to do if it gets none.
type entra struct {
	transport *cloud.Transport // its clock is not the store's
	network   *network
	ask       func() (azcore.TokenCredential, error)

	mu     sync.Mutex
	denied error
	until  time.Time
}

func newEntra(p place) *entra {
	e := &entra{transport: &cloud.Transport{}}
	e.network = &network{RoundTripper: e.transport}
	e.ask = sync.OnceValues(func() (azcore.TokenCredential, error) {
		options := sdkOptions(&http.Client{Transport: e.network})
		options.Cloud = authorityOf(p)
		return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions: options,
			// Without this the SDK asks the public cloud whether an authority is one of
			// Microsoft's, which a private one is not.
			DisableInstanceDiscovery: os.Getenv("AZURE_AUTHORITY_HOST") != "",
		})
	})
	return e
}

// authorityOf is where to sign in: in the cloud of the endpoint, unless the
// environment names another.
func authorityOf(p place) azcloud.Configuration {
	switch {
	case os.Getenv("AZURE_AUTHORITY_HOST") != "":
	case p.isIn(domainChina):
		return azcloud.AzureChina
	case p.isIn(domainGovernment):
		return azcloud.AzureGovernment
	}
	return azcloud.Configuration{} // the environment's, or the public cloud
}

// GetToken implements azcore.TokenCredential.
func (e *entra) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	e.mu.Lock()
	defer e.mu.Unlock() // the SDK's client asks once at a time anyway
	if time.Now().Before(e.until) {
		return azcore.AccessToken{}, e.denied
	}
	credential, err := e.ask()
	if err != nil { // AZURE_TOKEN_CREDENTIALS is not valid
		return azcore.AccessToken{}, &driver.Error{Kind: driver.Invalid, Err: err}
	}
	e.network.failure.Store(nil)
	token, err := credential.GetToken(ctx, options)
	if err == nil {
		return token, nil
	}
	if err := ctx.Err(); err != nil {
		return azcore.AccessToken{}, err
	}
	err = e.failure(err)
	if failed, ok := errors.AsType[*driver.Error](err); ok && failed.Kind == driver.Denied {
		e.denied, e.until = err, time.Now().Add(denialAge)
	}
	return azcore.AccessToken{}, err
}

// failure tells apart three cases: Entra refuses, Entra cannot be reached, and
// there are no credentials to sign in with.
func (e *entra) failure(err error) error {
	refused, ok := errors.AsType[*azidentity.AuthenticationFailedError](err)
	if !ok {
		return denied(err, "no credentials for Azure were found: set AZURE_STORAGE_KEY or another variable of docs/stores.md, or run az login; in a cluster, give the pod a workload identity")
	}
	if r := refused.RawResponse; r != nil {
		kind := cloud.KindOfStatus(r.StatusCode)
		if r.StatusCode == http.StatusNotFound || r.StatusCode == http.StatusGone {
			kind = driver.Unavailable // the machine, and its managed identity, has just started
		}
		if kind == driver.Throttled || kind == driver.Unavailable {
			return &driver.Error{Kind: kind, RetryAfter: cloud.RetryAfter(r.Header),
				Err: shortened{fmt.Sprintf("cannot sign in to Azure for now: HTTP %d", r.StatusCode), err}}
		}
		return denied(err, "signing in to Azure was refused: "+reasonOf(r)+"; "+mendSignIn())
	}
	if failed := e.network.failure.Load(); failed != nil {
		return e.transport.Failure(*failed)
	}
	return denied(err, "signing in to Azure failed: "+mendSignIn())
}

// mendSignIn is what to do after a refusal, by the credentials that were tried.
func mendSignIn() string {
	if os.Getenv("AZURE_FEDERATED_TOKEN_FILE") != "" && os.Getenv("AZURE_CLIENT_SECRET") == "" {
		return "check the service account of the pod, its annotation azure.workload.identity/client-id, " +
			"and the federated credential of that identity, which names the cluster's issuer and system:serviceaccount:<namespace>:<name>"
	}
	return "check AZURE_CLIENT_ID, AZURE_TENANT_ID and the secret or certificate, or run az login again"
}

func denied(err error, text string) error {
	return &driver.Error{Kind: driver.Denied, Err: shortened{text, err}}
}

// shortened is an error of the SDK's, which may be a page long, in short.
type shortened struct {
	text string
	err  error
}

func (s shortened) Error() string { return s.text }
func (s shortened) Unwrap() error { return s.err }

// reasonOf is Entra's reason
// (https://learn.microsoft.com/entra/identity-platform/reference-error-codes),
// up to its identifiers for support.
func reasonOf(r *http.Response) string {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	body, err := runtime.Payload(r)
	if err != nil || json.Unmarshal(body, &said) != nil || said.Description == "" {
		return fmt.Sprintf("HTTP %d %s", r.StatusCode, said.Error)
	}
	reason, _, _ := strings.Cut(said.Description, "Trace ID:")
	reason, _, _ = strings.Cut(reason, "\n")
	return strings.TrimRight(strings.TrimSpace(reason), ".")
}

// network sends requests for tokens.
type network struct {
	http.RoundTripper
	failure atomic.Pointer[error] // the last one; azidentity keeps only its text
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := n.RoundTripper.RoundTrip(r)
	if err != nil {
		n.failure.Store(&err)
	}
	return response, err
}
