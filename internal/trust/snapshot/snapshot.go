// Package snapshot keeps the fingerprints of a package's functions on this
// machine, with all that they were made of, so that a program or a command knows
// them in milliseconds for as long as nothing of that was edited. It reads no Go,
// and programs link it: package lockfile makes snapshots, above it.
//
// A snapshot may be deleted at any time; one that is damaged is none.
package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Snapshot is what was found out about a package.
type Snapshot struct {
	Go        string     `json:"go"` // minor version, such as go1.26
	Platform  string     `json:"platform"`
	Tags      string     `json:"tags,omitempty"` // if they were not those of GOFLAGS
	Writer    string     `json:"writer"`         // which release of mops, for it decides what a fingerprint is
	Functions []Function `json:"functions"`
	State     State      `json:"state"`
}

// Function is what was found out about a function.
type Function struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Hash     string `json:"hash"`     // "" if its code cannot be followed
	Accepted bool   `json:"accepted"` // its lock accepts the hash

	Code *code.Fingerprint `json:"code,omitempty"` // if its lock does not accept it

	File    string   `json:"file"` // where it is defined: a path in its module
	Line    int      `json:"line"`
	Missing []string `json:"missing,omitempty"` // callees that its Calls does not name
	Impure  []string `json:"impure,omitempty"`  // what its result depends on beside its input
	Err     string   `json:"error,omitempty"`   // why its code cannot be followed
}

// Hash is the fingerprint of a function at a version, or "".
func (s *Snapshot) Hash(name, version string) string {
	for _, f := range s.Functions {
		if f.Name == name && f.Version == version {
			return f.Hash
		}
	}
	return ""
}

// Fresh says that all is as it was. It looks at each file, and reads those that
// were touched. The version is that of the Go at hand, as [runtime.Version] has it.
func (s *Snapshot) Fresh(goVersion string) bool {
	return s.Go == code.GoMinor(goVersion) && s.State.fresh()
}

// format is how snapshots begin. Another one makes all of them worthless.
const format = "mops snapshot 1 "

// keepFor is how long snapshots stay after they were written: most folders of a
// machine are looked at once.
const keepFor = 60 * 24 * time.Hour

// DefaultCacheDir is the folder of mops for what may be deleted, or "".
func DefaultCacheDir() string {
	if dir := os.Getenv("MOPS_CACHE"); dir != "" {
		return dir
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "mops")
	}
	return ""
}

// place is the file of a package's snapshot.
func place(cacheDir, packageDir string) string {
	if real, err := filepath.EvalSymlinks(packageDir); err == nil {
		packageDir = real
	}
	if absolute, err := filepath.Abs(packageDir); err == nil {
		packageDir = absolute
	}
	sum := sha256.Sum256([]byte(packageDir))
	return filepath.Join(cacheDir, "code", hex.EncodeToString(sum[:16])+".json")
}

// Load reads the snapshot of a package. The folders are that of caches and the
// package's.
func Load(cacheDir, packageDir string) (*Snapshot, error) {
	text, err := os.ReadFile(place(cacheDir, packageDir))
	if err != nil {
		return nil, err
	}
	head, body, _ := strings.Cut(string(text), "\n")
	if sum, ok := strings.CutPrefix(head, format); !ok || sum != sumOf([]byte(body)) {
		return nil, errors.New("the snapshot is damaged, or another release wrote it")
	}
	s := &Snapshot{}
	if err := json.Unmarshal([]byte(body), s); err != nil {
		return nil, fmt.Errorf("the snapshot: %w", err)
	}
	return s, nil
}

// Save keeps the snapshot of a package.
func (s *Snapshot) Save(cacheDir, packageDir string) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := place(cacheDir, packageDir)
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, "part-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString(format + sumOf(body) + "\n" + string(body))
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
		return err
	}
	sweep(folder, time.Now().Add(-keepFor))
	return nil
}

// sweep removes what was written before a time.
func sweep(folder string, before time.Time) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, each := range entries {
		if info, err := each.Info(); err == nil && info.ModTime().Before(before) {
			os.Remove(filepath.Join(folder, each.Name()))
		}
	}
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
