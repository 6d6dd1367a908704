package image

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// base makes an image of one layer.
func base(t *testing.T, architecture, user string, manifest, layerType types.MediaType) v1.Image {
	t.Helper()
	l, err := layer(layerType, []entry{text("/etc/base", "base for "+architecture)})
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, manifest), l)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture = "linux", architecture
	config.Config = v1.Config{User: user, Env: []string{"A=b"}, Cmd: []string{"sh"}, Entrypoint: []string{"entry"}, WorkingDir: "/work"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

func index(t *testing.T, architectures ...string) v1.ImageIndex {
	all := v1.ImageIndex(empty.Index)
	for _, a := range architectures {
		platform := v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: a}}
		all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: base(t, a, "", types.OCIManifestSchema1, types.OCILayer), Descriptor: platform})
	}
	return all
}

func TestBase(t *testing.T) {
	for what, c := range map[string]struct {
		manifest, layer types.MediaType
		user, wantUser  string
	}{
		"OCI, root":            {types.OCIManifestSchema1, types.OCILayer, "", user},
		"Docker, a number":     {types.DockerManifestSchema2, types.DockerLayer, "1000:100", "1000:100"},
		"Docker, by name":      {types.DockerManifestSchema2, types.DockerLayer, "nobody", user},
		"OCI, root's number":   {types.OCIManifestSchema1, types.OCILayer, "0", user},
		"OCI, only the number": {types.OCIManifestSchema1, types.OCILayer, "7", "7"},
	} {
		t.Run(what, func(t *testing.T) {
			s := start(t, nil)
			reference, err := name.ParseReference(s.host + "/bases/a:1")
			if err != nil {
				t.Fatal(err)
			}
			if err := remote.Write(reference, base(t, "amd64", c.user, c.manifest, c.layer)); err != nil {
				t.Fatal(err)
			}
			s.asked()
			image, config := fetch(t, publish(t, s.repository(), static(t), Base(reference.Name())))
			if patches := count(s.asked(), "PATCH", ""); patches != 2 {
				t.Errorf("%d blobs are sent, want the program and the configuration", patches)
			}
			manifest, err := image.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			if len(manifest.Layers) != 2 || manifest.MediaType != c.manifest || manifest.Layers[1].MediaType != c.layer {
				t.Errorf("the manifest is %+v", manifest)
			}
			got := config.Config
			if got.User != c.wantUser || !slices.Equal(got.Entrypoint, []string{"/usr/local/bin/hello"}) || got.Cmd != nil || !slices.Equal(got.Env, []string{"A=b"}) || got.WorkingDir != "/work" {
				t.Errorf("the configuration is %+v", got)
			}
		})
	}
}

// A base for several platforms, in another registry, which has to be copied.
func TestBaseOfManyPlatforms(t *testing.T) {
	there, here := start(t, nil), start(t, nil)
	reference, err := name.ParseReference(there.host + "/bases/many")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference, index(t, "arm64", "amd64")); err != nil {
		t.Fatal(err)
	}
	image, config := fetch(t, publish(t, here.repository(), static(t), Base(reference.Name())))
	if config.Architecture != "amd64" {
		t.Errorf("the image is for %s", config.Architecture)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if content, err := layers[0].Uncompressed(); err != nil {
		t.Errorf("the base's layer was not copied: %v", err)
	} else {
		content.Close()
	}
}

func TestBaseThatIsOfNoUse(t *testing.T) {
	s := start(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Path == "/v2/closed/manifests/latest" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	arm, err := name.ParseReference(s.host + "/bases/arm")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(arm, base(t, "arm64", "", types.OCIManifestSchema1, types.OCILayer)); err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(arm.Context().Tag("many"), index(t, "arm64")); err != nil {
		t.Fatal(err)
	}
	for base, want := range map[string]string{
		s.host + "/bases/arm":      "the base " + s.host + "/bases/arm is for linux/arm64, not for linux/amd64: name another Base, or set Platform",
		s.host + "/bases/arm:many": "no child with platform linux/amd64 in index",
		s.host + "/nowhere:1":      "reading the base " + s.host + "/nowhere:1 for linux/amd64: " + s.host + " answered 404 Not Found (NAME_UNKNOWN: Unknown name); is " + s.host + "/nowhere spelled right?",
		s.host + "/closed":         "answered 403 Forbidden; no credentials for it were found",
		"UPPER/case":               `Base("UPPER/case"): `,
	} {
		_, _, err := FromSelf(s.repository(), static(t), quickly, Base(base))(t.Context())
		checkText(t, err, want)
	}
}
