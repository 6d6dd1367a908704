package image

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the image has none

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// FromSelf returns a function that makes sure that the image of this program is
// in a repository such as "ghcr.io/team/program", without a tag, and returns
// its reference, "ghcr.io/team/program@sha256:…", and its platforms. The first
// call that succeeds decides: all later ones return the same. Any number of
// goroutines may call the function; one of them works, the others wait. The end of
// ctx ends the work.
//
// An error says what to do about it, and holds no credentials. It wraps the
// registry's answer, a *transport.Error of
// github.com/google/go-containerregistry/pkg/v1/remote/transport, or the error
// of the network or of the operating system.
func FromSelf(repository string, options ...Option) func(context.Context) (reference string, platforms []string, err error) {
	s := newSettings(options)
	s.repository = repository
	if _, file, _, ok := runtime.Caller(1); ok {
		s.source = filepath.Dir(file)
	}
	return once(func(ctx context.Context) (string, []string, error) {
		digest, err := s.publish(ctx)
		return repository + "@" + digest.String(), s.platforms, err
	})
}

func newSettings(options []Option) *settings {
	s := &settings{
		platforms: []string{"linux/amd64"},
		keychain:  authn.NewMultiKeychain(authn.DefaultKeychain, environment{}),
		logger:    slog.Default(),
		quiet:     time.Second,
		backoff:   remote.Backoff{Duration: time.Second, Factor: 3, Jitter: 0.1, Steps: 3},
	}
	for _, option := range options {
		option(s)
	}
	return s
}

// once is a function that finds an image until that succeeds, and then returns the
// same. One caller works, the others wait.
func once(find func(context.Context) (reference string, platforms []string, err error)) func(context.Context) (string, []string, error) {
	turn, found, platforms := make(chan struct{}, 1), "", []string(nil)
	return func(ctx context.Context) (string, []string, error) {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return "", nil, context.Cause(ctx)
		}
		if found == "" {
			reference, are, err := find(ctx)
			if err != nil {
				return "", nil, fmt.Errorf("image: %w", err)
			}
			found, platforms = reference, are
		}
		return found, slices.Clone(platforms), nil
	}
}

// publish makes the image, and pushes it unless it is there already.
func (s *settings) publish(ctx context.Context) (v1.Hash, error) {
	name, err := s.parse()
	if err != nil {
		return v1.Hash{}, err
	}
	transport := newTransport()
	defer transport.CloseIdleConnections()
	r, err := s.connect(ctx, transport, name, s.insecure)
	if err != nil {
		return v1.Hash{}, err
	}
	var images []mutate.IndexAddendum
	for _, platform := range s.platforms {
		one := *s
		one.platform = platform
		p, err := one.program(ctx)
		if err != nil {
			return v1.Hash{}, err
		}
		defer p.file.Close() // its layer is read when it is pushed
		image, err := one.assemble(ctx, r, p)
		if err != nil {
			return v1.Hash{}, err
		}
		images = append(images, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: one.architecture()},
		}})
	}
	if len(images) == 1 {
		return s.push(ctx, r, images[0].Add.(v1.Image))
	}
	return s.push(ctx, r, indexOf(images))
}

// indexOf is the index of images: Docker's or OCI's, as they are.
func indexOf(images []mutate.IndexAddendum) v1.ImageIndex {
	index := mutate.AppendManifests(empty.Index, images...)
	if mediaType, err := images[0].Add.MediaType(); err == nil && mediaType == types.DockerManifestSchema2 {
		return mutate.IndexMediaType(index, types.DockerManifestList)
	}
	return index
}

// parse checks the user's arguments before anything else is done.
func (s *settings) parse() (name.Repository, error) {
	if err := s.checkPlatforms(); err != nil {
		return name.Repository{}, err
	}
	var options []name.Option
	if s.insecure {
		options = append(options, name.Insecure)
	}
	repository, err := name.NewRepository(s.repository, options...)
	if strings.Contains(s.repository, "://") {
		err = errors.New("it is a URL")
	}
	if err != nil {
		return name.Repository{}, fmt.Errorf("%q is no name of a repository: %w; write it like registry.example.com/team/program, without a tag", s.repository, err)
	}
	return repository, nil
}
