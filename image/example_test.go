package image_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/TrilliantHealth/mops-go/image"
)

// A registry in this process stands for the user's. With
// k8s.ImageFrom(program), workers on a cluster run the image in it.
func ExampleFromSelf() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/team/program"

	program := image.FromSelf(repository)
	reference, platforms, err := program(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.HasPrefix(reference, repository+"@sha256:"), platforms)
	// Output: true [linux/amd64]
}
