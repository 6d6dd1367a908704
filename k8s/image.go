package k8s

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// imageSource makes the name of an image once, for all callers. A failure goes
// to the callers that wait for it; a later caller tries again.
type imageSource struct {
	make  func(context.Context) (reference string, platforms []string, err error)
	named bool // the user named it, nothing has to make it

	mu   sync.Mutex
	once *making
}

type making struct {
	done  chan struct{}
	image image
	err   error
}

// image is an image and what it runs on.
type image struct {
	reference string
	platforms []string // none: not known
}

func (i *imageSource) get(ctx context.Context) (image, error) {
	for {
		i.mu.Lock()
		m := i.once
		if m == nil {
			m = &making{done: make(chan struct{})}
			i.once = m
			i.mu.Unlock()
			i.run(ctx, m)
			return m.image, m.err
		}
		i.mu.Unlock()
		select {
		case <-m.done:
		case <-ctx.Done():
			return image{}, ctx.Err()
		}
		// The end of another caller's context is no answer to this one.
		if !errors.Is(m.err, context.Canceled) && !errors.Is(m.err, context.DeadlineExceeded) || ctx.Err() != nil {
			return m.image, m.err
		}
	}
}

func (i *imageSource) run(ctx context.Context, m *making) {
	m.err = errors.New("the function given to k8s.ImageFrom panicked")
	defer func() {
		if m.err != nil {
			i.mu.Lock()
			i.once = nil
			i.mu.Unlock()
		}
		close(m.done)
	}()
	m.image.reference, m.image.platforms, m.err = i.make(ctx)
	if m.err == nil && m.image.reference == "" {
		m.err = errors.New("the name of the image is empty")
	}
}

// findImage finds the image, by its full name.
func (s *settings) findImage(ctx context.Context) (image, error) {
	found, err := s.imageOf(ctx)
	if err != nil {
		return image{}, err
	}
	switch {
	case len(s.platforms) > 0:
		found.platforms = s.platforms
	case len(found.platforms) == 0:
		found.platforms = s.usualPlatforms
	}
	_, err = architectures(found.platforms)
	return found, err
}

func (s *settings) imageOf(ctx context.Context) (image, error) {
	if s.image == nil || !s.image.named {
		// A pod has the program in its image already.
		if own := os.Getenv(kube.ImageVariable); own != "" {
			return image{own, strings.Fields(os.Getenv(kube.PlatformsVariable))}, nil
		}
	}
	if s.image == nil {
		return image{}, errors.New("no image was given; name the one that holds the program with k8s.Image, or have it built with k8s.ImageFrom")
	}
	found, err := s.image.get(ctx)
	if err != nil {
		return image{}, err
	}
	found.reference = withRegistry(s.registry, found.reference)
	return found, nil
}

// withRegistry puts the registry in front of a name that has none. As for
// docker, a first part with a dot or a colon, and localhost, is a registry.
func withRegistry(registry, reference string) string {
	if registry == "" || strings.HasPrefix(reference, registry+"/") {
		return reference
	}
	first, _, more := strings.Cut(reference, "/")
	if more && (first == "localhost" || strings.ContainsAny(first, ".:")) {
		return reference
	}
	return registry + "/" + reference
}

func (s *settings) pullPolicyOf(image string) corev1.PullPolicy {
	switch {
	case s.pullPolicy != "":
		return s.pullPolicy
	case strings.Contains(image, "@"):
		return corev1.PullIfNotPresent // the content of a digest never changes
	}
	return corev1.PullAlways
}
