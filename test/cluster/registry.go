package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/TrilliantHealth/mops-go/image"
)

const registryPort = 5000

// startRegistry serves the cluster's registry from this process, until Stop.
func (c *Cluster) startRegistry() error {
	c.Registry = hostPort(c.Host, registryPort)
	if err := c.allowRegistry(c.Registry); err != nil {
		return err
	}
	blobs := c.slot.dir + "/registry"
	if err := os.Mkdir(blobs, 0o700); err != nil {
		return err
	}
	return c.serve("the registry", c.Registry, registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)),
		registry.Logger(log.New(io.Discard, "", 0))))
}

// serve serves something from this process, until Stop.
func (c *Cluster) serve(what, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("start %s: %w", what, err)
	}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	c.background = append(c.background, func() error {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
	return nil
}

// PushProgram pushes an image into the cluster's registry that holds one program,
// which is statically linked, as its entry point, and runs it as a user without
// rights. It returns the image's name with its digest.
func (c *Cluster) PushProgram(ctx context.Context, repository, program string) (string, error) {
	reference, _, err := image.FromSelf(c.Registry+"/"+repository, image.Binary(program), image.Insecure(),
		image.Platforms("linux/"+runtime.GOARCH), image.Logger(slog.New(slog.DiscardHandler)))(ctx)
	return reference, err
}
