package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// repository is one in a registry, and how to speak with it.
type repository struct {
	name      name.Repository
	known     bool // there are credentials
	transport *http.Transport
	options   []remote.Option
}

// connect finds the credentials. It sends nothing yet.
func (s *settings) connect(ctx context.Context, transport *http.Transport, name name.Repository, insecure bool) (*repository, error) {
	credentials, err := authn.Resolve(ctx, s.keychain, name)
	if err != nil {
		return nil, fmt.Errorf("the credentials for %s could not be read: %w; see to Docker's configuration, or set image.Keychain", name.RegistryStr(), err)
	}
	return &repository{name, credentials != authn.Anonymous, transport, []remote.Option{
		remote.WithContext(ctx), remote.WithAuth(credentials), remote.WithUserAgent("mops"),
		remote.WithTransport(private{transport, insecure}), remote.WithRetryBackoff(s.backoff),
	}}, nil
}

// newTransport makes the connections of one push.
func newTransport() *http.Transport {
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	return transport
}

var errPlain = errors.New("plain http is not spoken to other machines")

// private keeps others from reading credentials and programs on the way: the
// library tries plain http with all private addresses.
type private struct {
	http.RoundTripper
	insecure bool
}

func (p private) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme == "http" && !p.insecure && !isThisMachine(request.URL.Hostname()) {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, errPlain
	}
	return p.RoundTripper.RoundTrip(request)
}

func isThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// environment are the credentials in DOCKER_AUTH_CONFIG, which the library sees
// only if there is a file, too.
type environment struct{}

func (environment) Resolve(target authn.Resource) (authn.Authenticator, error) {
	if os.Getenv(configfile.DockerEnvConfigKey) == "" {
		return authn.Anonymous, nil
	}
	host := target.RegistryStr()
	if host == name.DefaultRegistry {
		host = authn.DefaultAuthKey
	}
	found, err := configfile.New("").GetAuthConfig(host)
	if err != nil {
		return nil, err
	}
	if found.Username == "" && found.Auth == "" && found.IdentityToken == "" && found.RegistryToken == "" {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: found.Username, Password: found.Password, Auth: found.Auth,
		IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken,
	}), nil
}

// pushed is an image, or an index of several.
type pushed interface {
	remote.Taggable
	Digest() (v1.Hash, error)
}

// push makes sure that the repository has the image.
func (s *settings) push(ctx context.Context, r *repository, image pushed) (v1.Hash, error) {
	digest, err := image.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	updates, told := make(chan v1.Update), make(chan struct{})
	go func() {
		defer close(told)
		s.tell(updates)
	}()
	// Push looks whether the tag leads to this digest already, and closes updates.
	err = remote.Push(r.name.Tag("mops-"+digest.Hex[:16]), image, append(r.options, remote.WithProgress(updates))...)
	<-told
	if err == nil {
		return digest, nil
	}
	// If tags are immutable, another process may just have set this one.
	if _, lost := remote.Head(r.name.Digest(digest.String()), r.options...); lost == nil {
		return digest, nil
	}
	return v1.Hash{}, r.explain(ctx, "pushing to "+s.repository, err)
}

// tell logs the progress of a push, if it takes long.
func (s *settings) tell(updates <-chan v1.Update) {
	begin, told, failed := time.Now(), false, false
	var last v1.Update
	timer := time.NewTimer(s.quiet)
	defer timer.Stop()
	for {
		select {
		case update, more := <-updates:
			switch {
			case more && update.Error != nil:
				failed = true
			case more:
				last = update
			case told && !failed:
				s.logger.Info("the program's image is pushed", "repository", s.repository, "took", time.Since(begin).Round(time.Millisecond))
				return
			default:
				return
			}
		case <-timer.C:
			told = true
			s.logger.Info("pushing the program's image", "repository", s.repository, "sent", megabytes(last.Complete), "of", megabytes(last.Total))
			timer.Reset(10 * s.quiet)
		}
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
