package image

import (
	"log/slog"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Option is a setting for [FromSelf]; [Existing] heeds some.
type Option func(*settings)

type settings struct {
	repository string
	base       string
	platforms  []string
	binaries   []string
	files      []files
	insecure   bool
	keychain   authn.Keychain
	logger     *slog.Logger

	platform string // of platforms, the one that is being made

	source  string         // folder of the file that called FromSelf
	quiet   time.Duration  // the time that a push may take without a log line
	backoff remote.Backoff // between tries of one request
}

type files struct{ path, at string }

// Base sets the image below the program, such as
// "gcr.io/distroless/static-debian12" or that of a CUDA runtime. A tag is
// looked up each time. A dynamically linked program finds its libraries there,
// or not at all. Of a base for several platforms each image takes its own. The
// image keeps the base's user if that is a number other than 0. By default there is
// no base; see the package's documentation.
func Base(reference string) Option {
	return func(s *settings) { s.base = reference }
}

// Platforms sets the platforms of the cluster's nodes: "linux/amd64", which is the
// default, "linux/arm64", or Linux on loong64, ppc64le, riscv64 or s390x. Another
// one is an error of [FromSelf]'s function. For several platforms the image is an
// index, of which each node takes its own.
func Platforms(platforms ...string) Option {
	return func(s *settings) { s.platforms = slices.Clone(platforms) }
}

// Binary sets a file to run in place of the running program: it has to be the same
// program, built for one of [Platforms]. Which one, the file says itself; several
// Binary are for several platforms.
func Binary(path string) Option {
	return func(s *settings) { s.binaries = append(slices.Clone(s.binaries), path) }
}

// Files adds a file of this machine, or a folder with all that is in it, at an
// absolute path of the image. They belong to root and are readable for all.
// Links are followed to files, not to folders. The data of a function should
// come in its input rather than in its image: there, mops sees a change.
func Files(path, at string) Option {
	return func(s *settings) { s.files = append(s.files, files{path, at}) }
}

// Insecure allows plain http to the repository's registry, so others can read
// and change credentials and program on the way. A registry on this machine may
// use plain http without it.
func Insecure() Option {
	return func(s *settings) { s.insecure = true }
}

// Keychain sets where credentials come from; see the package's documentation
// for the default. Packages such as
// github.com/google/go-containerregistry/pkg/v1/google have those of clouds,
// without Docker's configuration.
func Keychain(keychain authn.Keychain) Option {
	return func(s *settings) { s.keychain = keychain }
}

// Logger sets the logger for pushes that take longer than a second, for builds,
// and for warnings about an image. The default is slog.Default().
func Logger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}
