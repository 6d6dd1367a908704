package fileblob

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

// The tests across processes start this test binary again. The environment
// tells a child what to do, where, and as whom; it begins when its standard
// input ends.
const (
	envRole = "FILEBLOB_TEST_ROLE"
	envRoot = "FILEBLOB_TEST_ROOT"
	envName = "FILEBLOB_TEST_NAME"
	envSize = "FILEBLOB_TEST_SIZE"
)

var roles = map[string]func(c *child) error{
	"claim":     claim,
	"increment": increment,
	"create":    create,
}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(envRole)]
	if !ok {
		os.Exit(m.Run())
	}
	c, err := newChild()
	if err == nil {
		err = role(c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Getenv(envName)+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a process of a test, as it sees itself.
type child struct {
	*blob.Store
	name string
	size int
	log  *os.File
}

func newChild() (*child, error) {
	size, err := strconv.Atoi(os.Getenv(envSize))
	if err != nil {
		return nil, err
	}
	root, name := os.Getenv(envRoot), os.Getenv(envName)
	s, err := Open(filepath.Join(root, "store"))
	if err != nil {
		return nil, err
	}
	if named, _ := strconv.ParseBool(os.Getenv("FILEBLOB_TEST_NAMED")); named {
		s.Driver().(*store).named.Store(true)
	}
	log, err := os.OpenFile(filepath.Join(root, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return &child{s, name, size, log}, err
}

// note logs a line that survives if the process is killed a moment later, and
// tells the parent, too.
func (c *child) note(words ...any) {
	fmt.Fprintln(c.log, words...)
	fmt.Println(words...)
}

// family is a test's processes.
type family struct {
	t        *testing.T
	role     string
	root     string
	size     int
	named    bool
	children []*exec.Cmd
}

// start starts a process and returns what opens its gate and the lines that it
// prints.
func (f *family) start() (cmd *exec.Cmd, gate io.Closer, lines *bufio.Scanner) {
	f.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	cmd = exec.Command(exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), envRole+"="+f.role, envRoot+"="+f.root, envSize+"="+strconv.Itoa(f.size),
		envName+"="+fmt.Sprint("child", len(f.children)), "FILEBLOB_TEST_NAMED="+strconv.FormatBool(f.named))
	cmd.Stderr = os.Stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { cmd.Process.Kill() })
	f.children = append(f.children, cmd)
	return cmd, stdin, bufio.NewScanner(stdout)
}

// logs are the lines that each process has logged, by its name.
func (f *family) logs() map[string][][]string {
	f.t.Helper()
	logs := make(map[string][][]string)
	for i := range f.children {
		name := fmt.Sprint("child", i)
		data, err := os.ReadFile(filepath.Join(f.root, name+".log"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			f.t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			logs[name] = append(logs[name], strings.Fields(line))
		}
	}
	return logs
}

// soak is the small size by default, the large one where MOPS_SOAK asks for it, and
// a fifth with -short.
func soak(small, large int) int {
	switch {
	case os.Getenv("MOPS_SOAK") == "1":
		return large
	case testing.Short():
		return small / 5
	}
	return small
}

// sealed is content that shows whether it is whole: words, filler, checksum.
func sealed(size int, words ...any) string {
	filler := strings.Repeat(string(rune('a'+rand.IntN(26))), rand.IntN(size))
	content := fmt.Sprintln(words...) + filler + "\n"
	sum := sha256.Sum256([]byte(content))
	return content + hex.EncodeToString(sum[:])
}

// unseal is the words of sealed content.
func unseal(data []byte) ([]string, error) {
	content, sum := string(data), ""
	if i := strings.LastIndexByte(content, '\n'); i >= 0 {
		content, sum = content[:i+1], content[i+1:]
	}
	if want := sha256.Sum256([]byte(content)); sum != hex.EncodeToString(want[:]) {
		return nil, fmt.Errorf("a blob is not whole: %d bytes, %.60q…", len(data), data)
	}
	words, _, _ := strings.Cut(content, "\n")
	return strings.Fields(words), nil
}

func readSealed(ctx context.Context, s *blob.Store, key string) ([]string, blob.Info, error) {
	data, info, err := s.ReadAll(ctx, key, nil)
	if err != nil {
		return nil, info, err
	}
	words, err := unseal(data)
	return words, info, err
}
