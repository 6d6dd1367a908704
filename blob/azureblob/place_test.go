package azureblob

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

const key = "a2V5" // base64 of "key"

func TestRoots(t *testing.T) {
	environment(t, map[string]string{"AZURE_STORAGE_KEY": key})
	for uri, want := range map[string]struct{ root, address, identity string }{
		"adls://account/box":         {"adls://account/box", "adls://account/box", "https://account.blob.core.windows.net/box"},
		"ADLS://account/box/a/b c//": {"adls://account/box/a/b c", "adls://account/box/a/b c", "https://account.blob.core.windows.net/box/a/b c"},
		"adls://account/box/a?endpoint=https://ACCOUNT.blob.core.chinacloudapi.cn/": {"adls://account/box/a",
			"adls://account/box/a?endpoint=https%3A%2F%2FACCOUNT.blob.core.chinacloudapi.cn%2F", "https://account.blob.core.chinacloudapi.cn/box/a"},
		"adls://devstoreaccount1/box?endpoint=http://127.0.0.1:10000/devstoreaccount1": {"adls://devstoreaccount1/box",
			"adls://devstoreaccount1/box?endpoint=http%3A%2F%2F127.0.0.1%3A10000%2Fdevstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1/box"},
		"adls://account/box?endpoint=http://storage.example": {"adls://account/box", "adls://account/box?endpoint=http%3A%2F%2Fstorage.example", "http://storage.example/box"},
	} {
		s := openRoot(t, uri)
		identity := s.Driver().(driver.Identified).Identity()
		if s.Root() != want.root || s.Address() != want.address || identity != want.identity {
			t.Errorf("%s has the root %s, the address %s and is %s", uri, s.Root(), s.Address(), identity)
		}
		if again := openRoot(t, s.Address()); again.Address() != s.Address() || again.Driver().(driver.Identified).Identity() != identity {
			t.Errorf("%s leads to %s", s.Address(), again.Address())
		}
	}
}

func TestBadRoots(t *testing.T) {
	environment(t, map[string]string{"AZURE_STORAGE_KEY": key})
	for uri, says := range map[string]string{
		"adls://":                                  "an account",
		"adls:///box":                              "an account",
		"adls://account":                           "container is missing",
		"adls://account/":                          "container is missing",
		"adls://Account/box":                       `"Account" cannot`,
		"adls://my-account/box":                    `"my-account" cannot`,
		"adls://ab/box":                            `"ab" cannot`,
		"adls://account/Box":                       `"Box" cannot`,
		"adls://account/bo":                        `"bo" cannot`,
		"adls://account/my--box":                   `"my--box" cannot`,
		"adls://account/$root":                     `"$root" cannot`,
		"adls://account/box/../x":                  "dots",
		"adls://box@account/x":                     "no user",
		"adls://account/box?key=" + key:            "no parameter",
		"adls://account/box?sv=1&sig=hush":         "no parameter",
		"adls://account.blob.core.windows.net/box": "?endpoint=",
		"adls://account/box?endpoint=https://account.dfs.core.windows.net":    ".blob.",
		"adls://account/box?endpoint=https://other.blob.core.windows.net":     `"other"`,
		"adls://account/box?endpoint=http://127.0.0.1:10000":                  "http://127.0.0.1:10000/account",
		"adls://account/box?endpoint=http://localhost:10000/devstoreaccount1": "http://localhost:10000/account",
		"adls://account/box?endpoint=account.blob.core.windows.net":           "https://host",
		"adls://account/box?endpoint=https://host?sig=hush":                   "without user and query",
	} {
		_, err := blob.Open(t.Context(), uri)
		if !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", uri, err)
		} else if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), key) {
			t.Errorf("%s: a secret is told: %v", uri, err)
		}
	}
}

// The environment tells credentials; each wrong one is found before anything is sent.
func TestCredentials(t *testing.T) {
	const sas = "sv=2026-12-06&sp=racwdl&sig=hush"
	const public, here, elsewhere = "adls://account/box", "adls://account/box?endpoint=http://127.0.0.1:1/account", "adls://account/box?endpoint=https://storage.example"
	for _, c := range []struct {
		connection, key, sas, account string
		uri                           string
		says                          string // "": it opens
		endpoint                      string
		signs                         bool // by a key
	}{
		{uri: public, endpoint: "https://account.blob.core.windows.net"},
		{uri: public, key: key, signs: true},
		{uri: public, sas: "?" + sas},
		{uri: public, key: key, sas: sas, signs: true},
		{uri: public, connection: "AccountName=account;AccountKey=" + key, sas: sas, signs: true, endpoint: "https://account.blob.core.windows.net"},
		{uri: public, connection: "DefaultEndpointsProtocol=https;AccountName=account;AccountKey=" + key + "==;EndpointSuffix=core.usgovcloudapi.net;",
			says: "not base64"},
		{uri: public, connection: "DefaultEndpointsProtocol=https;AccountName=account;AccountKey=" + key + ";EndpointSuffix=core.usgovcloudapi.net;",
			signs: true, endpoint: "https://account.blob.core.usgovcloudapi.net"},
		{uri: public, connection: "BlobEndpoint=https://account.z7.blob.storage.azure.net/;SharedAccessSignature=" + sas, key: key,
			endpoint: "https://account.z7.blob.storage.azure.net"},
		{uri: "adls://devstoreaccount1/box", connection: "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;SharedAccessSignature=" + sas,
			endpoint: "http://127.0.0.1:10000/devstoreaccount1"},
		{uri: public, connection: "AccountName=account;BlobEndpoint=https://storage.example;SharedAccessSignature=" + sas, endpoint: "https://storage.example"},
		{uri: here, connection: "AccountName=account;AccountKey=" + key, signs: true, endpoint: "http://127.0.0.1:1/account"},

		{uri: public, connection: "AccountName=other;AccountKey=" + key, says: `"other"`},
		{uri: public, connection: "BlobEndpoint=https://other.blob.core.windows.net;SharedAccessSignature=" + sas, says: `"other"`},
		{uri: public, connection: "AccountName=account", says: "neither AccountKey"},
		{uri: public, connection: "AccountKey=" + key, says: "neither AccountName"},
		{uri: "adls://devstoreaccount1/box", connection: "UseDevelopmentStorage=true", says: "set AZURE_STORAGE_KEY"},
		{uri: "adls://devstoreaccount1/box", connection: "UseDevelopmentStorage=true;", says: "?endpoint=http://127.0.0.1:10000/devstoreaccount1"},
		{uri: public, connection: "hush", says: "AccountName=…"},
		{uri: public, account: "other"},
		{uri: public, account: "account", key: key, signs: true},
		{uri: public, account: "other", key: key, says: `AZURE_STORAGE_ACCOUNT is for the account "other"`},
		{uri: public, account: "other", sas: sas, says: `AZURE_STORAGE_ACCOUNT is for the account "other"`},
		{uri: public, key: "hush hush", says: "not base64"},
		{uri: public, sas: "hush", says: "sig=…"},

		// Which places may get which credentials.
		{uri: here, sas: sas},
		{uri: here, says: "well-known key"},
		{uri: elsewhere, key: key, signs: true},
		{uri: elsewhere, sas: sas, says: "hosts of Azure's only"},
		{uri: elsewhere, says: "hosts of Azure's only"},
		{uri: "adls://account/box?endpoint=https://account.blob.core.windows.net.example", says: "hosts of Azure's only"},
		{uri: "adls://account/box?endpoint=http://account.blob.core.windows.net", sas: sas, says: "over http://"},
		{uri: "adls://account/box?endpoint=http://account.blob.core.windows.net", says: "over http://"},
		{uri: "adls://account/box?endpoint=http://account.blob.core.windows.net", key: key, signs: true},
	} {
		environment(t, map[string]string{"AZURE_STORAGE_CONNECTION_STRING": c.connection, "AZURE_STORAGE_KEY": c.key, "AZURE_STORAGE_SAS_TOKEN": c.sas,
			"AZURE_STORAGE_ACCOUNT": c.account})
		s, err := blob.Open(t.Context(), c.uri)
		if c.says != "" {
			if !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), key) {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		where := driverOf(s).place
		allowed, err := credentialsOf(&where)
		if err != nil || (allowed.key != nil) != c.signs || c.endpoint != "" && where.endpoint.String() != c.endpoint {
			t.Errorf("%+v: at %s, %+v, %v", c, where.endpoint, allowed, err)
		}
	}
}
