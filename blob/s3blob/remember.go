package s3blob

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// rememberedFor is how long a good verdict holds: a service may be replaced by
// another at the same address.
const rememberedFor = 24 * time.Hour

// cacheDir is the folder of the user's caches.
var cacheDir = os.UserCacheDir

// remembered says that a probe of this root ended well lately, by any process of
// the user on this machine: workers that live for a second need not pay for it
// again. Where there is no such folder, each process probes.
func (s *store) remembered(what string) bool {
	path, ok := s.verdictFile(what)
	if !ok {
		return false
	}
	file, err := os.Stat(path)
	return err == nil && time.Since(file.ModTime()) < rememberedFor
}

func (s *store) remember(what string) {
	path, ok := s.verdictFile(what)
	if !ok {
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return
	}
	text := fmt.Sprintf("The conditions of writes were heeded by %s.\n", s.Identity())
	os.WriteFile(path, []byte(text), 0o644) // its time is what counts
}

// verdictFile is not to be had for loopback addresses: their ports change hands.
func (s *store) verdictFile(what string) (path string, ok bool) {
	dir, err := cacheDir()
	if err != nil || isLoopback(s.endpoint) {
		return "", false
	}
	return filepath.Join(dir, "mops", "s3-conditions", fmt.Sprintf("%x", sha256.Sum256([]byte(what+" "+s.Identity())))), true
}

func isLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && address.IsLoopback()
}
