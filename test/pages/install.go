package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/test/debian"
)

// Chromium is the path of the browser's program. Where there is none, it installs
// Debian's, once for all who ask; its error says why that cannot be.
var Chromium = sync.OnceValues(func() (string, error) {
	if path, err := installed(); err == nil {
		return path, nil
	}
	if !debian.Usable() {
		return "", errors.New("there is no Chromium here, and only root on Debian gets it with apt-get install chromium")
	}
	fmt.Fprintln(os.Stderr, "installing Debian's Chromium, once; it takes a minute")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := debian.Get(ctx, "", "install", "--yes", "--no-install-recommends", "chromium", "fonts-liberation"); err != nil {
		return "", fmt.Errorf("there is no Chromium here, and it cannot be installed: %w", err)
	}
	return installed()
})

func installed() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium here")
}
