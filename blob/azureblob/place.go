package azureblob

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// place is where a root lies.
type place struct {
	uri, root string // with and without the query
	account   string
	container string
	address   cloud.Address // its Path is that in the container
	endpoint  *url.URL      // of the blob service
	given     bool          // the root names the endpoint
	trusted   bool          // the endpoint's host is the connection string's
}

// Names, by
// https://learn.microsoft.com/azure/storage/common/storage-account-overview and
// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata.
var (
	validAccount   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	validContainer = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

func parse(uri string) (place, error) {
	a, err := cloud.Parse(uri, "endpoint")
	if err != nil {
		return place{}, err
	}
	p := place{uri: a.URI(), root: a.Root(), account: a.Host, address: a}
	p.container, p.address.Path, _ = strings.Cut(a.Path, "/")
	switch {
	case !validAccount.MatchString(p.account):
		return place{}, cloud.Invalid("%q cannot be the name of an account, which has 3 to 24 small letters and digits: a root is adls://account/container/path; "+
			"for a service that is not at https://account.blob.core.windows.net write ?endpoint=https://host behind it", p.account)
	case p.container == "":
		return place{}, cloud.Invalid("the container is missing: a root is adls://account/container/path")
	case len(p.container) < 3 || len(p.container) > 63 || !validContainer.MatchString(p.container):
		return place{}, cloud.Invalid("%q cannot be the name of a container, which has 3 to 63 small letters, digits and single hyphens", p.container)
	}
	endpoint := a.Query["endpoint"]
	p.given = endpoint != ""
	if !p.given {
		endpoint = "https://" + p.account + ".blob.core.windows.net"
	}
	return p, p.setEndpoint(endpoint)
}

func (p *place) setEndpoint(endpoint string) error {
	if err := cloud.ValidEndpoint(endpoint); err != nil {
		return err
	}
	var err error
	if p.endpoint, err = url.Parse(strings.TrimRight(endpoint, "/")); err != nil {
		return cloud.Invalid("the endpoint is no URL")
	}
	p.endpoint.Scheme, p.endpoint.Host = strings.ToLower(p.endpoint.Scheme), strings.ToLower(p.endpoint.Host)
	owner, _, _ := strings.Cut(p.endpoint.Host, ".")
	switch {
	case strings.Contains(p.endpoint.Host, ".dfs."):
		return cloud.Invalid("the endpoint is that of the Data Lake service; the blob service has the same blobs: write .blob. in place of .dfs.")
	case p.isIn(domains...) && owner != p.account:
		return cloud.Invalid("the endpoint is that of the account %q, and the root lies in %q", owner, p.account)
	case p.isNumber() && strings.Trim(p.endpoint.Path, "/") != p.account:
		return cloud.Invalid("an endpoint without a domain ends with the account: write %s://%s/%s", p.endpoint.Scheme, p.endpoint.Host, p.account)
	}
	return nil
}

// url is the container's.
func (p place) url() string { return p.endpoint.JoinPath(p.container).String() }

func (p place) identity() string {
	return strings.TrimRight(p.url()+"/"+p.address.Path, "/")
}

func (p place) isSecure() bool { return p.endpoint.Scheme == "https" }

// isNumber reports whether the endpoint has no domain, as an emulator's: then
// the service takes the account from the path.
func (p place) isNumber() bool {
	return p.endpoint.Hostname() == "localhost" || net.ParseIP(p.endpoint.Hostname()) != nil
}

// isHere reports whether the endpoint is on this machine.
func (p place) isHere() bool {
	ip := net.ParseIP(p.endpoint.Hostname())
	return p.endpoint.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Domains of Azure's endpoints
// (https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-endpoints).
const (
	domainPublic     = ".core.windows.net"
	domainZones      = ".storage.azure.net"
	domainChina      = ".core.chinacloudapi.cn"
	domainGovernment = ".core.usgovcloudapi.net"
)

var domains = []string{domainPublic, domainZones, domainChina, domainGovernment}

func (p place) isIn(domains ...string) bool {
	return slices.ContainsFunc(domains, func(d string) bool { return strings.HasSuffix(p.endpoint.Hostname(), d) })
}
