package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is "nonroot" of the default base, and of distroless images. It is a
// number because the kubelet refuses names with runAsNonRoot.
const user = "65532:65532"

// assemble puts the program on its base.
func (s *settings) assemble(ctx context.Context, r *repository, p program) (v1.Image, error) {
	image, rest, err := s.foundation(ctx, r, p)
	if err != nil {
		return nil, err
	}
	mediaType, err := layerType(image)
	if err != nil {
		return nil, err
	}
	for _, f := range s.files {
		added, err := f.entries()
		if err != nil {
			return nil, err
		}
		rest = append(rest, added...)
	}
	parts := []struct {
		what    string
		entries []entry
	}{{"what the program needs", rest}, {"the program", []entry{p.entry()}}}
	for _, part := range parts {
		if len(part.entries) == 0 {
			continue
		}
		l, err := layer(mediaType, part.entries)
		if err != nil {
			return nil, err
		}
		history := v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "mops", Comment: part.what}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: l, History: history}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.Created = v1.Time{Time: epoch}
	config.OS, config.Architecture = "linux", s.architecture()
	config.Config.Entrypoint, config.Config.Cmd = []string{p.entry().path}, nil
	if !isNumberedUser(config.Config.User) {
		config.Config.User = user
	}
	return mutate.ConfigFile(image, config)
}

// isNumberedUser reports whether a user of an image is a number, and not
// root's.
func isNumberedUser(user string) bool {
	id, _, _ := strings.Cut(user, ":")
	number, err := strconv.Atoi(id)
	return err == nil && number > 0
}

// layerType is the media type for our layers in an image: Docker's and OCI's
// are not mixed.
func layerType(image v1.Image) (types.MediaType, error) {
	mediaType, err := image.MediaType()
	if mediaType == types.DockerManifestSchema2 {
		return types.DockerLayer, err
	}
	return types.OCILayer, err
}

// foundation is the image below the program, and the entries to add to it.
func (s *settings) foundation(ctx context.Context, r *repository, p program) (v1.Image, []entry, error) {
	if s.base != "" {
		if p.loader != "" {
			s.logger.Warn("the program is linked dynamically: its base must have the loader and its libraries", "base", s.base, "loader", p.loader)
		}
		image, err := s.pull(ctx, r)
		return image, nil, err
	}
	libraries, err := s.libraries(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	authorities, err := s.authorities()
	if err != nil {
		return nil, nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	environment := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if len(libraries) > 0 {
		folders := libraryFolder
		if p.opens {
			folders += ":" + driverFolder
		}
		environment = append(environment, "LD_LIBRARY_PATH="+folders)
	}
	if image, err = mutate.Config(image, v1.Config{Env: environment}); err != nil {
		return nil, nil, err
	}
	all := []entry{
		{path: "/tmp", mode: 0o1777},
		text("/etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"),
		text("/etc/group", "root:x:0:\nnonroot:x:65532:\n"),
	}
	return image, append(append(all, authorities...), libraries...), nil
}

// authorities are the certificate authorities that this machine trusts, at a
// place where Go looks for them on Linux.
func (s *settings) authorities() ([]entry, error) {
	// The same places as in crypto/x509, root_linux.go; the last is macOS's, too.
	for _, file := range []string{
		os.Getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
	} {
		authorities, err := copied("/etc/ssl/certs/ca-certificates.crt", file)
		if !errors.Is(err, fs.ErrNotExist) {
			return []entry{authorities}, err
		}
	}
	s.logger.Warn("this machine has no file of certificate authorities, so the image has none: its programs trust no server; set SSL_CERT_FILE")
	return nil, nil
}

// pull finds the base. Its layers are read when they are pushed, and only those
// that the repository lacks.
func (s *settings) pull(ctx context.Context, to *repository) (v1.Image, error) {
	reference, err := name.ParseReference(s.base)
	if err != nil {
		return nil, fmt.Errorf("Base(%q): %w", s.base, err)
	}
	insecure := s.insecure && reference.Context().RegistryStr() == to.name.RegistryStr()
	if insecure {
		reference, _ = name.ParseReference(s.base, name.Insecure)
	}
	from, err := s.connect(ctx, to.transport, reference.Context(), insecure)
	if err != nil {
		return nil, err
	}
	doing := fmt.Sprintf("reading the base %s for %s", s.base, s.platform)
	platform := v1.Platform{OS: "linux", Architecture: s.architecture()}
	image, err := remote.Image(reference, append(from.options, remote.WithPlatform(platform))...)
	if err != nil {
		return nil, from.explain(ctx, doing, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, from.explain(ctx, doing, err)
	}
	if is := config.OS + "/" + config.Architecture; is != s.platform {
		return nil, fmt.Errorf("the base %s is for %s, not for %s: name another Base, or set Platforms", s.base, is, s.platform)
	}
	return image, nil
}
