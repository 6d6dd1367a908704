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
	make  func(context.Context) (string, error)
	named bool // the user named it, nothing has to make it

	mu   sync.Mutex
	once *making
}

type making struct {
	done      chan struct{}
	reference string
	err       error
}

func (i *imageSource) reference(ctx context.Context) (string, error) {
	for {
		i.mu.Lock()
		m := i.once
		if m == nil {
			m = &making{done: make(chan struct{})}
			i.once = m
			i.mu.Unlock()
			i.run(ctx, m)
			return m.reference, m.err
		}
		i.mu.Unlock()
		select {
		case <-m.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		// The end of another caller's context is no answer to this one.
		if !errors.Is(m.err, context.Canceled) && !errors.Is(m.err, context.DeadlineExceeded) || ctx.Err() != nil {
			return m.reference, m.err
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
	m.reference, m.err = i.make(ctx)
	if m.err == nil && m.reference == "" {
		m.err = errors.New("the name of the image is empty")
	}
}

// imageName is the full name of the image.
func (s *settings) imageName(ctx context.Context) (string, error) {
	if s.image == nil || !s.image.named {
		// A pod has the program in its image already.
		if own := os.Getenv(kube.ImageVariable); own != "" {
			return own, nil
		}
	}
	if s.image == nil {
		return "", errors.New("no image was given; name the one that holds the program with k8s.Image, or have it built with k8s.ImageFrom")
	}
	reference, err := s.image.reference(ctx)
	if err != nil {
		return "", err
	}
	return withRegistry(s.registry, reference), nil
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
