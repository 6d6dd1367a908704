package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const registryPort = 5000

// startRegistry serves the cluster's registry from this process, until Stop.
func (c *Cluster) startRegistry() error {
	c.Registry = hostPort(c.Host, registryPort)
	if err := c.allowRegistry(c.Registry); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Registry)
	if err != nil {
		return fmt.Errorf("start the registry: %w", err)
	}
	blobs := c.slot.dir + "/registry"
	if err := os.Mkdir(blobs, 0o700); err != nil {
		return err
	}
	server := &http.Server{Handler: registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)),
		registry.Logger(log.New(io.Discard, "", 0)))}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	c.background = append(c.background, func() error {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("the registry: %w", err)
		}
		return nil
	})
	return nil
}

// PushProgram pushes an image into the cluster's registry that holds one program,
// which is statically linked, as its entry point, and runs it as a user without
// rights. It returns the image's name with its digest.
func (c *Cluster) PushProgram(ctx context.Context, repository, program string) (image string, err error) {
	content, err := programLayer(program)
	if err != nil {
		return "", fmt.Errorf("make an image of %s: %w", program, err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		return "", err
	}
	made, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return "", err
	}
	config, err := made.ConfigFile()
	if err != nil {
		return "", err
	}
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: []string{"/program"}, User: "65532:65532"}
	if made, err = mutate.ConfigFile(made, config); err != nil {
		return "", err
	}
	digest, err := made.Digest()
	if err != nil {
		return "", err
	}
	ref, err := name.NewDigest(c.Registry + "/" + repository + "@" + digest.String())
	if err != nil {
		return "", err
	}
	return ref.String(), remote.Write(ref, made, remote.WithContext(ctx))
}

// programLayer is a tar file with the program.
func programLayer(program string) ([]byte, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	writer := tar.NewWriter(&layer)
	err = errors.Join(
		writer.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}),
		writer.WriteHeader(&tar.Header{Name: "program", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(text))}))
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(text); err != nil {
		return nil, err
	}
	err = writer.Close()
	return layer.Bytes(), err
}
