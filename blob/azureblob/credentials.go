package azureblob

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// credentials are those of the environment: a key, a SAS token, or neither;
// then Entra is asked.
type credentials struct {
	key *container.SharedKeyCredential
	sas string // a query, without its question mark

	token *sasToken // the harmless part of sas; nil if there is none
}

// credentialsOf takes the credentials for a place from the environment. If the
// root names no endpoint, a connection string's endpoint counts.
func credentialsOf(p *place) (credentials, error) {
	var c credentials
	text, key, sas := os.Getenv("AZURE_STORAGE_CONNECTION_STRING"), os.Getenv("AZURE_STORAGE_KEY"), os.Getenv("AZURE_STORAGE_SAS_TOKEN")
	account, variable := os.Getenv("AZURE_STORAGE_ACCOUNT"), "AZURE_STORAGE_ACCOUNT"
	switch {
	case text != "":
		parsed, err := parseConnectionString(text)
		if err != nil {
			return c, err
		}
		if !p.given {
			if err := p.setEndpoint(parsed.endpoint); err != nil {
				return c, err
			}
		}
		if u, err := url.Parse(parsed.endpoint); err == nil {
			p.trusted = strings.EqualFold(u.Host, p.endpoint.Host)
		}
		account, variable, key, sas = parsed.account, "AZURE_STORAGE_CONNECTION_STRING", parsed.key, parsed.sas
	case key != "":
		sas = ""
	case sas == "":
		account = p.account // without a key or a token it has no meaning
	}
	if account != "" && account != p.account {
		return c, cloud.Invalid("%s is for the account %q, and the root lies in %q: correct one of them, or unset the variable", variable, account, p.account)
	}
	if key != "" {
		var err error
		if c.key, err = container.NewSharedKeyCredential(p.account, key); err != nil {
			return c, cloud.Invalid("the account key in the environment is none: it is not base64; copy it again from the account's access keys")
		}
	} else if sas != "" {
		c.sas = strings.TrimPrefix(sas, "?")
		values, err := url.ParseQuery(c.sas)
		if err != nil || !values.Has("sig") {
			return c, cloud.Invalid("the SAS token in the environment is none: it is a query like sv=…&sig=…")
		}
		c.token = newSASToken(values)
	}
	return c, c.mayGoTo(*p)
}

// mayGoTo refuses to send credentials where others could read and use them.
func (c credentials) mayGoTo(p place) error {
	azures := p.trusted || p.isIn(domains...)
	switch {
	case c.key != nil: // it only signs
	case c.sas != "" && !p.isHere() && !p.isSecure():
		return cloud.Invalid("a SAS token is not sent over http://: take an endpoint with https://")
	case c.sas != "" && !p.isHere() && !azures:
		return cloud.Invalid("a SAS token is sent to hosts of Azure's only, and %s is none: use an account key, or a connection string with this BlobEndpoint", p.endpoint.Host)
	case c.sas == "" && !p.isSecure():
		return cloud.Invalid("without an account key, Entra is asked for a token, and that is not sent over http://: set AZURE_STORAGE_KEY (for an emulator: its well-known key), or take an endpoint with https://")
	case c.sas == "" && !azures:
		return cloud.Invalid("a token of Entra's is sent to hosts of Azure's only, and %s is none: set AZURE_STORAGE_KEY", p.endpoint.Host)
	}
	return nil
}

// client makes the SDK's client for a container. Without key and SAS token, it
// asks entra for tokens.
func (c credentials) client(p place, transport *cloud.Transport, entra azcore.TokenCredential) (*container.Client, error) {
	options := &container.ClientOptions{ClientOptions: sdkOptions(plain{transport})}
	switch {
	case c.key != nil:
		return container.NewClientWithSharedKeyCredential(p.url(), c.key, options)
	case c.sas != "":
		return container.NewClientWithNoCredential(p.url()+"?"+c.sas, options)
	}
	return container.NewClient(p.url(), entra, options)
}

// plain sends requests without an http.Client: the errors of that show the URL
// with the SAS token, and it follows redirects, which the service never makes.
type plain struct{ http.RoundTripper }

// Do implements policy.Transporter.
func (p plain) Do(r *http.Request) (*http.Response, error) { return p.RoundTrip(r) }

// sdkOptions turn the SDK's retries off: blob.Retry tries again.
func sdkOptions(transport policy.Transporter) azcore.ClientOptions {
	return azcore.ClientOptions{
		Transport: transport,
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Telemetry: policy.TelemetryOptions{ApplicationID: "mops"},
	}
}

// connection holds the parts of a connection string.
type connection struct{ account, endpoint, key, sas string }

// parseConnectionString reads name=value pairs
// (https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string).
func parseConnectionString(text string) (c connection, err error) {
	values := map[string]string{}
	for pair := range strings.SplitSeq(strings.Trim(text, "; \n"), ";") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return c, cloud.Invalid("AZURE_STORAGE_CONNECTION_STRING is none: it is like AccountName=…;AccountKey=…")
		}
		values[strings.ToLower(strings.TrimSpace(name))] = value
	}
	c = connection{values["accountname"], values["blobendpoint"], values["accountkey"], values["sharedaccesssignature"]}
	protocol, suffix := values["defaultendpointsprotocol"], values["endpointsuffix"]
	if protocol == "" {
		protocol = "https"
	}
	if suffix == "" {
		suffix = "core.windows.net"
	}
	switch {
	case strings.EqualFold(values["usedevelopmentstorage"], "true"):
		return c, cloud.Invalid("UseDevelopmentStorage=true means the emulator Azurite, and mops wants it named: unset AZURE_STORAGE_CONNECTION_STRING, " +
			"set AZURE_STORAGE_KEY to Azurite's well-known account key, and take the root adls://devstoreaccount1/container/path?endpoint=http://127.0.0.1:10000/devstoreaccount1")
	case c.account == "" && c.endpoint == "":
		return c, cloud.Invalid("AZURE_STORAGE_CONNECTION_STRING has neither AccountName nor BlobEndpoint")
	case c.key == "" && c.sas == "":
		return c, cloud.Invalid("AZURE_STORAGE_CONNECTION_STRING has neither AccountKey nor SharedAccessSignature")
	case c.endpoint == "":
		c.endpoint = protocol + "://" + c.account + ".blob." + suffix
	case c.account == "":
		if u, err := url.Parse(c.endpoint); err == nil {
			c.account, _, _ = strings.Cut(u.Hostname(), ".")
			if u.Path != "" && u.Path != "/" { // an emulator
				c.account = strings.Trim(u.Path, "/")
			}
		}
	}
	return c, nil
}

// sasToken is the part of a SAS token that messages may show.
type sasToken struct {
	expires time.Time // zero if a stored access policy sets it
}

// sasTimes are the forms of its times
// (https://learn.microsoft.com/rest/api/storageservices/formatting-datetime-values).
var sasTimes = []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly}

func newSASToken(query url.Values) *sasToken {
	for _, form := range sasTimes {
		if at, err := time.Parse(form, query.Get("se")); err == nil {
			return &sasToken{at.UTC()}
		}
	}
	return &sasToken{}
}

// mend is what to do about a token that the service refuses: its codes do not
// tell an expired token from a wrong one.
func (t *sasToken) mend(now time.Time) string {
	if !t.expires.IsZero() && t.expires.Before(now) {
		return "the SAS token has expired, at " + t.expires.Format(time.RFC3339) + ": make a new one"
	}
	return "the SAS token may have expired, be wrong or for another account or container, or lack a permission: it needs r, a, c, w, d and l (sp=racwdl); " +
		"or the account's network rules keep this machine out"
}
