package image

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

var both = Platforms("linux/amd64", "linux/arm64")

// children are the images of an index, by platform.
func children(t *testing.T, reference string) (types.MediaType, map[string]v1.Image) {
	t.Helper()
	parsed, err := name.NewDigest(reference)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(parsed, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]v1.Image{}
	for _, child := range manifest.Manifests {
		image, err := index.Image(child.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if is := config.OS + "/" + config.Architecture; is != child.Platform.String() {
			t.Errorf("the image for %s says that it is for %s", child.Platform, is)
		}
		all[child.Platform.String()] = image
	}
	return manifest.MediaType, all
}

// machineOfImage is that of the program in an image.
func machineOfImage(t *testing.T, image v1.Image) elf.Machine {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	content := mutate.Extract(image)
	defer content.Close()
	path := filepath.Join(t.TempDir(), "program")
	untar(t, content, func(name string, _ os.FileMode, data []byte) {
		if "/"+name == config.Config.Entrypoint[0] {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return file.Machine
}

var machinesOfBoth = map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}

func TestSeveralPlatforms(t *testing.T) {
	s := start(t, nil)
	arm := Binary(hello(t, "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"))
	image := FromSelf(s.repository(), quickly, both, arm, static(t))
	reference, platforms, err := image(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("it is for %q", platforms)
	}
	mediaType, images := children(t, reference)
	if len(images) != 2 || mediaType != types.OCIImageIndex {
		t.Errorf("the index is a %s of %d images", mediaType, len(images))
	}
	for platform, image := range images {
		if got := machineOfImage(t, image); got != machinesOfBoth[platform] {
			t.Errorf("the program for %s is one for %v", platform, got)
		}
	}
	s.asked()
	if again := publish(t, s.repository(), both, static(t), arm); again != reference {
		t.Errorf("the second is %s, the first was %s", again, reference)
	}
	if requests := s.asked(); len(requests) != 2 {
		t.Errorf("when it is there, %q is asked", requests)
	}
}

// The program for this platform is the running one, the other is built from its
// source.
func TestSeveralPlatformsFromSource(t *testing.T) {
	s := start(t, nil)
	_, images := children(t, publish(t, s.repository(), both))
	for platform, image := range images {
		if got := machineOfImage(t, image); got != machinesOfBoth[platform] {
			t.Errorf("the program for %s is one for %v", platform, got)
		}
	}
	if len(images) != 2 {
		t.Errorf("%d images", len(images))
	}
}

// Each image stands on the base for its platform, and the index is of the kind of
// its images.
func TestBaseOfEachPlatform(t *testing.T) {
	s := start(t, nil)
	reference, err := name.ParseReference(s.host + "/bases/many")
	if err != nil {
		t.Fatal(err)
	}
	var addenda []mutate.IndexAddendum
	for _, architecture := range []string{"arm64", "amd64"} {
		addenda = append(addenda, mutate.IndexAddendum{
			Add:        base(t, architecture, "", types.DockerManifestSchema2, types.DockerLayer),
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	if err := remote.WriteIndex(reference, indexOf(addenda)); err != nil {
		t.Fatal(err)
	}
	arm := Binary(hello(t, "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"))
	mediaType, images := children(t, publish(t, s.repository(), both, arm, static(t), Base(reference.Name())))
	if mediaType != types.DockerManifestList {
		t.Errorf("the index is a %s", mediaType)
	}
	for platform, image := range images {
		content := mutate.Extract(image)
		defer content.Close()
		says := ""
		untar(t, content, func(name string, _ os.FileMode, data []byte) {
			if name == "etc/base" {
				says = string(data)
			}
		})
		if says != "base for "+platform[len("linux/"):] {
			t.Errorf("the base of the image for %s is a %q", platform, says)
		}
	}
	if len(images) != 2 {
		t.Errorf("%d images", len(images))
	}
}
