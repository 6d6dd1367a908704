package image

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// imageFor is an image for a platform.
func imageFor(t *testing.T, os, architecture string) v1.Image {
	t.Helper()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: os, Architecture: architecture})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// indexFor is an index of images for platforms, with an attestation, as buildx
// makes it.
func indexFor(t *testing.T, platforms ...v1.Platform) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, p := range append(platforms, v1.Platform{OS: "unknown", Architecture: "unknown"}) {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: imageFor(t, p.OS, p.Architecture), Descriptor: v1.Descriptor{Platform: &p}})
	}
	return index
}

func TestExisting(t *testing.T) {
	s := start(t, nil)
	for tag, put := range map[string]remote.Taggable{
		"arm": imageFor(t, "linux", "arm64"), "windows": imageFor(t, "windows", "amd64"),
		"several": indexFor(t, v1.Platform{OS: "windows", Architecture: "amd64"}, v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}, v1.Platform{OS: "linux", Architecture: "amd64"}),
	} {
		at, err := name.NewTag(s.repository() + ":" + tag)
		if err == nil {
			err = remote.Push(at, put, remote.WithContext(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for tag, want := range map[string]struct {
		platforms []string
		err       string
	}{
		"arm":     {platforms: []string{"linux/arm64"}},
		"several": {platforms: []string{"linux/amd64", "linux/arm64"}},
		"windows": {err: "no platform with Linux"},
		"none":    {err: "none"},
		"a b":     {err: "write it like"},
	} {
		s.asked()
		find := Existing(s.repository()+":"+tag, quickly)
		pinned, platforms, err := find(t.Context())
		if (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) || !slices.Equal(platforms, want.platforms) {
			t.Errorf("%s: %s, %q, %v", tag, pinned, platforms, err)
		}
		if err != nil {
			continue
		}
		if !strings.HasPrefix(pinned, s.repository()+"@sha256:") {
			t.Errorf("%s: %s", tag, pinned)
		}
		before := len(s.asked())
		if again, _, err := find(t.Context()); again != pinned || err != nil || before == 0 || len(s.asked()) > 0 {
			t.Errorf("%s: the second time it is %s, %v", tag, again, err)
		}
	}
}
