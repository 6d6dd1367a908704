package image

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	_ "time/tzdata" // the image has none

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// FromSelf returns a function that makes sure that the image of this program is
// in a repository such as "ghcr.io/team/program", without a tag, and returns
// its reference: "ghcr.io/team/program@sha256:…". The first call that succeeds
// decides: all later ones return the same. Any number of goroutines may call
// the function; one of them works, the others wait. The end of ctx ends the
// work.
//
// An error says what to do about it, and holds no credentials. It wraps the
// registry's answer, a *transport.Error of
// github.com/google/go-containerregistry/pkg/v1/remote/transport, or the error
// of the network or of the operating system.
func FromSelf(repository string, options ...Option) func(context.Context) (string, error) {
	s := &settings{
		repository: repository,
		platform:   "linux/amd64",
		keychain:   authn.NewMultiKeychain(authn.DefaultKeychain, environment{}),
		logger:     slog.Default(),
		quiet:      time.Second,
		backoff:    remote.Backoff{Duration: time.Second, Factor: 3, Jitter: 0.1, Steps: 3},
	}
	if _, file, _, ok := runtime.Caller(1); ok {
		s.source = filepath.Dir(file)
	}
	for _, option := range options {
		option(s)
	}
	turn, reference := make(chan struct{}, 1), ""
	return func(ctx context.Context) (string, error) {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if reference != "" {
			return reference, nil
		}
		digest, err := s.publish(ctx)
		if err != nil {
			return "", fmt.Errorf("image: %w", err)
		}
		reference = repository + "@" + digest.String()
		return reference, nil
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
	p, err := s.program(ctx)
	if err != nil {
		return v1.Hash{}, err
	}
	defer p.file.Close()
	image, err := s.assemble(ctx, r, p)
	if err != nil {
		return v1.Hash{}, err
	}
	return s.push(ctx, r, image)
}

// parse checks the user's arguments before anything else is done.
func (s *settings) parse() (name.Repository, error) {
	if _, err := s.machine(); err != nil {
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
