package filehash

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// memory remembers hashes, in memory and in a file that all processes of a user
// share. The file has one line per hash, appended in one write (atomic under
// O_APPEND on local file systems, open(2)). Each line has a checksum, so that
// torn, mixed or damaged lines are skipped. Losing the file costs only time.
type memory struct {
	path string // "" for memory only
	warn func(error)

	mu    sync.Mutex
	known map[key]Sum
	file  *os.File
	read  int64 // how much of the file is in known
	off   bool  // the file could not be used
}

const (
	hashesLine = 32 + 1 + 64 + 1 + 8 + 1 // key, hash, checksum in hexadecimal

	// maxHashes is about how many hashes are kept: some 11 MB on disk and as
	// much in memory. At twice as many, the older half is forgotten.
	maxHashes = 100_000
)

// key names an entry of the memory.
type key [16]byte

func keyOf(name []byte) key {
	sum := sha256.Sum256(name)
	return key(sum[:16])
}

func newMemory(path string, warn func(error)) *memory {
	return &memory{path: path, warn: warn, known: map[key]Sum{}}
}

// get looks in memory first, then at what other processes appended.
func (h *memory) get(k key) (Sum, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if sum, ok := h.known[k]; ok {
		return sum, true
	}
	if err := h.refresh(); err != nil {
		h.giveUp(err)
	}
	sum, ok := h.known[k]
	return sum, ok
}

// put remembers a hash; persist says whether other processes may know it too.
func (h *memory) put(k key, sum Sum, persist bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old, ok := h.known[k]; ok && old == sum {
		return
	}
	h.learn(k, sum)
	if !persist {
		return
	}
	if err := h.open(); err != nil {
		h.giveUp(err)
		return
	}
	if h.file != nil {
		if _, err := h.file.Write(appendHash(nil, k, sum)); err != nil {
			h.giveUp(err)
		}
	}
}

func (h *memory) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.off = true
	if h.file == nil {
		return nil
	}
	err := h.file.Close()
	h.file = nil
	return err
}

func (h *memory) learn(k key, sum Sum) {
	if len(h.known) >= 2*maxHashes {
		h.known = make(map[key]Sum, maxHashes)
	}
	h.known[k] = sum
}

// giveUp goes on in memory only.
func (h *memory) giveUp(err error) {
	if h.file != nil {
		h.file.Close()
		h.file = nil
	}
	h.off = true
	h.warn(fmt.Errorf("hashes are not remembered across processes: %w", err))
}

func (h *memory) open() error {
	if h.off || h.path == "" || h.file != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return err
	}
	file, err := openfile.RegularFile(h.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	h.file, h.read = file, 0
	return nil
}

// refresh reads what was appended since the last time.
func (h *memory) refresh() error {
	if h.off || h.path == "" {
		return nil
	}
	if h.file != nil && !h.current() {
		h.file.Close()
		h.file = nil
	}
	if err := h.open(); err != nil {
		return err
	}
	info, err := h.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == h.read {
		return nil
	}
	if info.Size() < h.read {
		h.read = 0
	}
	if info.Size() > 2*maxHashes*hashesLine {
		if err := h.shrink(info.Size()); err != nil {
			return err
		}
	}
	lines := bufio.NewReaderSize(io.NewSectionReader(h.file, h.read, 1<<62), 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return nil // half a line: a write under way
		}
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
		h.read += int64(len(line))
		if k, sum, ok := parseHash(line); ok {
			h.learn(k, sum)
		}
	}
}

// current reports whether the open file is still the one under the path.
func (h *memory) current() bool {
	open, err := h.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(h.path)
	return err == nil && os.SameFile(open, named)
}

// shrink replaces the file by its newer half. If another process appends to the
// old file meanwhile, its line is lost, which costs only time.
func (h *memory) shrink(size int64) error {
	temp, err := os.CreateTemp(filepath.Dir(h.path), ".hashes-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	from := size - maxHashes*hashesLine
	if _, err := io.Copy(temp, io.NewSectionReader(h.file, from, size-from)); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), h.path); err != nil {
		return err
	}
	h.file.Close()
	h.file = nil
	return h.open()
}

func appendHash(lines []byte, k key, sum Sum) []byte {
	start := len(lines)
	lines = hex.AppendEncode(lines, k[:])
	lines = append(lines, ' ')
	lines = hex.AppendEncode(lines, sum[:])
	return fmt.Appendf(lines, " %08x\n", crc32.ChecksumIEEE(lines[start:]))
}

func parseHash(line []byte) (k key, sum Sum, ok bool) {
	if len(line) != hashesLine || line[32] != ' ' || line[97] != ' ' {
		return k, sum, false
	}
	if _, err := hex.Decode(k[:], line[:32]); err != nil {
		return k, sum, false
	}
	if _, err := hex.Decode(sum[:], line[33:97]); err != nil {
		return k, sum, false
	}
	return k, sum, bytes.Equal(appendHash(nil, k, sum), line)
}
