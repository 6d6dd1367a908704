package image

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Existing returns a function, for k8s.ImageFrom, that looks an image up in its
// registry: "registry.example.com/forecast:1.4". It returns the image's reference
// with the digest that the tag has now, so that all workers of a program run the
// same, and the platforms that it is for, so that pods run on nodes of these only.
// Of the options it heeds [Insecure], [Keychain] and [Logger]. The function and its
// errors are like those of [FromSelf].
func Existing(reference string, options ...Option) func(context.Context) (pinned string, platforms []string, err error) {
	s := newSettings(options)
	return once(func(ctx context.Context) (string, []string, error) { return s.find(ctx, reference) })
}

func (s *settings) find(ctx context.Context, text string) (pinned string, platforms []string, err error) {
	var how []name.Option
	if s.insecure {
		how = append(how, name.Insecure)
	}
	reference, err := name.ParseReference(text, how...)
	if err != nil {
		return "", nil, fmt.Errorf("Existing(%q): %w; write it like registry.example.com/team/program:1.4", text, err)
	}
	transport := newTransport()
	defer transport.CloseIdleConnections()
	r, err := s.connect(ctx, transport, reference.Context(), s.insecure)
	if err != nil {
		return "", nil, err
	}
	found, err := remote.Get(reference, r.options...)
	if err == nil {
		platforms, err = platformsOf(found)
	}
	if err != nil {
		return "", nil, r.explain(ctx, "looking up "+text, err)
	}
	return reference.Context().Digest(found.Digest.String()).Name(), platforms, nil
}

// platformsOf are those with Linux that an image is for, or an index has images
// for.
func platformsOf(found *remote.Descriptor) (platforms []string, err error) {
	var all []*v1.Platform
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			return nil, err
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			return nil, err
		}
		for _, child := range manifest.Manifests {
			all = append(all, child.Platform) // that of an attestation is unknown/unknown
		}
	} else {
		image, err := found.Image()
		if err != nil {
			return nil, err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		all = append(all, config.Platform())
	}
	for _, p := range all {
		if p != nil && p.OS == "linux" && p.Architecture != "" {
			platforms = append(platforms, p.OS+"/"+p.Architecture)
		}
	}
	if len(platforms) == 0 {
		return nil, fmt.Errorf("the image is for no platform with Linux, on which alone workers run (it is for %v)", all)
	}
	slices.Sort(platforms)
	return slices.Compact(platforms), nil
}
