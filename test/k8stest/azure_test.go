package k8stest_test

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/golang-jwt/jwt/v5"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

const (
	tenant = "11111111-2222-3333-4444-555555555555"
	client = "66666666-7777-8888-9999-000000000000"
)

// azureWebhook does what the webhook of Azure Workload Identity does with a pod
// that has the label:
// https://azure.github.io/azure-workload-identity/docs/installation/mutating-admission-webhook.html
func azureWebhook(job *batchv1.Job) error {
	pod := &job.Spec.Template
	if pod.Labels["azure.workload.identity/use"] != "true" {
		return nil
	}
	annotations, err := annotationsOf(job.Namespace, &pod.Spec)
	if err != nil {
		return err
	}
	const folder, file = "/var/run/secrets/azure/tokens", "azure-identity-token"
	project(&pod.Spec, "azure-identity-token", folder, file, "api://AzureADTokenExchange", 3600,
		corev1.EnvVar{Name: "AZURE_CLIENT_ID", Value: annotations["azure.workload.identity/client-id"]},
		corev1.EnvVar{Name: "AZURE_TENANT_ID", Value: cmp.Or(annotations["azure.workload.identity/tenant-id"], tenant)},
		corev1.EnvVar{Name: "AZURE_FEDERATED_TOKEN_FILE", Value: folder + "/" + file},
		corev1.EnvVar{Name: "AZURE_AUTHORITY_HOST", Value: annotations["mops.test/authority"]},
	)
	return nil
}

// azure is Entra and a storage account.
type azure struct {
	federation *federation
	subject    string // of the federated credential of the client
	sas        string // opens the container: a user has it

	mu      sync.Mutex
	expired bool
	granted map[string]bool // tokens
	signIns int
	writes  int // with a token
}

// entra exchanges a token of the cluster for one of its own
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#third-case-access-token-request-with-a-federated-credential).
func (a *azure) entra(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	base := "https://" + r.Host + "/" + tenant
	switch r.URL.Path {
	case "/common/discovery/instance":
		fmt.Fprintf(w, `{"tenant_discovery_endpoint": "%s/v2.0/.well-known/openid-configuration", "metadata": []}`, base)
	case "/" + tenant + "/v2.0/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"issuer": "%[1]s/v2.0", "authorization_endpoint": "%[1]s/oauth2/v2.0/authorize", "token_endpoint": "%[1]s/oauth2/v2.0/token"}`, base)
	case "/" + tenant + "/oauth2/v2.0/token":
		if refusal := a.refusal(r); refusal != "" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error": "invalid_client", "error_description": "%s Trace ID: 0 Correlation ID: 0"}`, refusal)
			return
		}
		token := rand.Text()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.signIns++
		a.granted[token] = true
		fmt.Fprintf(w, `{"access_token": "%s", "expires_in": 3600, "token_type": "Bearer"}`, token)
	default:
		http.NotFound(w, r)
	}
}

// refusal is why Entra says no, in its words
// (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
func (a *azure) refusal(r *http.Request) string {
	subject, err := a.federation.subject(r.FormValue("client_assertion"))
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return "AADSTS700024: Client assertion is not within its valid time range."
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return "AADSTS700212: No matching federated identity record found for presented assertion audience."
	case err != nil:
		return "AADSTS50027: JWT token is invalid or malformed: " + err.Error()
	case subject != a.subject:
		return fmt.Sprintf("AADSTS700213: No matching federated identity record found for presented assertion subject '%s'.", subject)
	case r.FormValue("client_id") != client:
		return "AADSTS700016: Application with identifier '" + r.FormValue("client_id") + "' was not found in the directory."
	case r.FormValue("grant_type") != "client_credentials", !strings.Contains(r.FormValue("scope"), "https://storage.azure.com/.default"):
		return "AADSTS900144: The request body must contain other parameters."
	}
	return ""
}

// blobs lets in who has a token, or the user's SAS token.
func (a *azure) blobs(azurite http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		a.mu.Lock()
		granted, expired := a.granted[token], a.expired
		if isBearer && r.Method == http.MethodPut {
			a.writes++
		}
		a.mu.Unlock()
		switch {
		case !isBearer && r.URL.Query().Get("sig") != "":
		case isBearer && granted && !expired:
			r.Header.Del("Authorization")
			r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&"+a.sas, "&")
		case expired:
			emulator.AzureError(http.StatusUnauthorized, "InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired.")(w, r, nil)
			return
		default:
			emulator.AzureError(http.StatusForbidden, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")(w, r, nil)
			return
		}
		azurite.ServeHTTP(w, r)
	})
}

// newAzure starts them, and a trip whose pods have a service account that is tied to
// the client.
func newAzure(t *testing.T, c *cluster.Cluster, domain, authority string) (*azure, *trip) {
	t.Helper()
	azurite := emulator.Azurite(t)
	root, _ := url.Parse(azurite.Root(t)) // adls://account/container/path?endpoint=…
	account := root.Host
	box, _, _ := strings.Cut(strings.Trim(root.Path, "/"), "/")
	a := &azure{federation: newFederation(t, c, "api://AzureADTokenExchange"), granted: map[string]bool{}}
	key, err := container.NewSharedKeyCredential(account, azurite.Secret)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := container.NewClientWithSharedKeyCredential(azurite.URL+"/"+box, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := sas.ContainerPermissions{Read: true, Add: true, Create: true, Write: true, Delete: true, List: true}
	signed, err := opener.GetSASURL(all, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, a.sas, _ = strings.Cut(signed, "?")
	hosts := map[string]http.Handler{
		authority:                   http.HandlerFunc(a.entra),
		account + ".blob." + domain: a.blobs(passOn(t, azurite.URL, func(*http.Request) {})),
	}
	trip := newTrip(t, c, "azure", newInternet(t, c, hosts), map[string]string{
		"azure.workload.identity/client-id": client, "mops.test/authority": "https://" + authority + "/",
	})
	a.subject = "system:serviceaccount:" + trip.visit.Namespace + ":" + trip.visit.Account
	trip.root = "adls://" + account + root.Path
	if domain != "core.windows.net" {
		trip.root += "?endpoint=" + url.QueryEscape("https://"+account+".blob."+domain)
	}
	trip.env = append(trip.env, "AZURE_STORAGE_KEY=", "AZURE_STORAGE_SAS_TOKEN="+a.sas)
	return a, trip
}

// A pod with a service account that is tied to an identity of Azure's reads and
// writes the store with nothing else.
func TestAzureWorkloadIdentity(t *testing.T) {
	t.Parallel()
	c := cluster.Real(t)
	for name, at := range map[string]struct{ domain, authority string }{
		"public":            {"core.windows.net", "login.microsoftonline.com"},
		"China":             {"core.chinacloudapi.cn", "login.chinacloudapi.cn"},
		"private authority": {"core.windows.net", "login.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, trip := newAzure(t, c, at.domain, at.authority)
			trip.succeeds()
			if a.signIns == 0 || a.signIns > 3 || a.writes == 0 {
				t.Errorf("the pod signed in %d times, and wrote %d times", a.signIns, a.writes)
			}
			t.Logf("the pod signed in %d times, and wrote %d times", a.signIns, a.writes)
		})
	}
}

func TestAzureWorkloadIdentityFails(t *testing.T) {
	t.Parallel()
	c := cluster.Real(t)
	for name, test := range map[string]struct {
		change func(*azure, *trip)
		says   string
	}{
		"another account":   {func(a *azure, v *trip) { v.visit.Account = "default" }, "AADSTS700213"},
		"token has expired": {func(a *azure, v *trip) { a.federation.late = 2 * time.Hour }, "AADSTS700024"},
		"another audience":  {func(a *azure, v *trip) { a.federation.audience = "sts.amazonaws.com" }, "AADSTS700212"},
		"no webhook":        {func(a *azure, v *trip) { v.visit.Cloud = "none" }, "no credentials for Azure were found"},
		"access expired":    {func(a *azure, v *trip) { a.expired = true }, "token is expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, trip := newAzure(t, c, "core.windows.net", "login.microsoftonline.com")
			test.change(a, trip)
			trip.fails(test.says)
		})
	}
}
