package fileblob

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

const processes = 16

// both runs a test with unnamed and with named temporary files.
func both(t *testing.T, test func(t *testing.T, named bool)) {
	t.Run("Unnamed", func(t *testing.T) { test(t, false) })
	t.Run("Named", func(t *testing.T) { test(t, true) })
}

// TestOneWinner: of sixteen processes that put the same keys, if absent, one wins
// each key, and its content is there, whole.
func TestOneWinner(t *testing.T) {
	both(t, func(t *testing.T, named bool) {
		f := &family{t: t, role: "claim", root: t.TempDir(), size: soak(200, 10_000), named: named}
		f.runAll()
		winners := make(map[string]string)
		for name, lines := range f.logs() {
			for _, words := range lines {
				if other, won := winners[words[0]]; won {
					t.Errorf("%s was won by both %s and %s", words[0], other, name)
				}
				winners[words[0]] = name
			}
		}
		if len(winners) != f.size {
			t.Errorf("%d of %d keys have a winner", len(winners), f.size)
		}
		s := f.open()
		for key, winner := range winners {
			words, _, err := readSealed(t.Context(), s, key)
			if err != nil || len(words) != 2 || words[0] != key || words[1] != winner {
				t.Errorf("%s, won by %s, holds %q, %v", key, winner, words, err)
			}
		}
	})
}

func claim(c *child) error {
	for _, i := range rand.Perm(c.size) {
		key := fmt.Sprintf("folder%d/key%d", i%7, i)
		_, err := c.PutBytes(context.Background(), key, []byte(sealed(5000, key, c.name)), blob.PutOptions{IfAbsent: true})
		switch {
		case err == nil:
			c.note(key)
		case !blob.Is(err, blob.Exists):
			return err
		}
	}
	return nil
}

// TestNoLostSwap: sixteen processes count up by swaps, and are killed in the
// middle, again and again. No number that a process saw acknowledged is lost,
// and none is given twice. A number that no process saw acknowledged belongs to
// one that was killed while it tried.
func TestNoLostSwap(t *testing.T) {
	both(t, func(t *testing.T, named bool) {
		f := &family{t: t, role: "increment", root: t.TempDir(), size: soak(150, 500), named: named}
		s := f.open()
		for _, key := range counters {
			if _, err := s.PutBytes(t.Context(), key, []byte(sealed(5000, 0)), blob.PutOptions{IfAbsent: true}); err != nil {
				t.Fatal(err)
			}
		}
		killed := f.runAndKill(soak(30, 100))
		acknowledged := make(map[[2]string]string)
		tried := make(map[[2]string]bool) // by processes that were killed then
		for name, lines := range f.logs() {
			for _, words := range lines {
				if words[0] != "won" {
					continue
				}
				what := [2]string{words[1], words[2]}
				if other, won := acknowledged[what]; won {
					t.Errorf("%s counted %s to %s, and so did %s", name, words[1], words[2], other)
				}
				acknowledged[what] = name
			}
			if last := lines[len(lines)-1]; killed[name] && last[0] == "try" {
				tried[[2]string{last[1], last[2]}] = true
			}
		}
		lost := 0
		for _, key := range counters {
			words, info, err := readSealed(t.Context(), s, key)
			if err != nil {
				t.Fatal(err)
			}
			last, err := strconv.Atoi(words[0])
			if err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= last; n++ {
				what := [2]string{key, strconv.Itoa(n)}
				if _, ok := acknowledged[what]; !ok {
					lost++
					if !tried[what] {
						t.Errorf("nobody counted %s to %d, and yet it is at %d", key, n, last)
					}
				}
				delete(acknowledged, what)
			}
			if v, ok := parseToken(info.Version); !ok || v.number != uint64(last) {
				t.Errorf("%s is at %d, and its version is %q", key, last, info.Version)
			}
		}
		for what, name := range acknowledged {
			t.Errorf("%s counted %s to %s, and it is not there", name, what[0], what[1])
		}
		t.Logf("%d processes were killed, %d after their swap and before its acknowledgement", len(killed), lost)
	})
}

var counters = []string{"folder/a", "folder/b", "c"}

func increment(c *child) error {
	ctx := context.Background()
	for done := 0; done < c.size; {
		key := counters[rand.IntN(len(counters))]
		words, info, err := readSealed(ctx, c.Store, key)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(words[0])
		if err != nil {
			return err
		}
		c.note("try", key, n+1)
		_, err = c.PutBytes(ctx, key, []byte(sealed(5000, n+1)), blob.PutOptions{IfVersion: info.Version})
		switch {
		case err == nil:
			c.note("won", key, n+1)
			done++
		case blob.Is(err, blob.Mismatch):
			c.note("missed", key, n+1)
		default:
			return err
		}
	}
	return nil
}

// TestWholeThoughKilled: processes that are killed while they create blobs, and
// write over one that all share, leave every blob whole, at any moment.
func TestWholeThoughKilled(t *testing.T) {
	both(t, func(t *testing.T, named bool) {
		f := &family{t: t, role: "create", root: t.TempDir(), size: soak(20, 60), named: named}
		s := f.open()
		ended := make(chan struct{})
		var reader sync.WaitGroup
		read := 0
		look := func() {
			for info, err := range s.List(context.Background(), "", "") {
				if err != nil {
					t.Error(err)
					return
				}
				if words, _, err := readSealed(context.Background(), s, info.Key); err != nil || words[0] != info.Key {
					t.Errorf("%s holds %q, %v", info.Key, words, err)
				}
				read++
			}
		}
		reader.Go(func() {
			for {
				look()
				select {
				case <-ended:
					return
				default:
				}
			}
		})
		f.runAndKill(soak(30, 100))
		close(ended)
		reader.Wait()
		look()
		t.Logf("%d blobs read", read)
		left, err := os.ReadDir(filepath.Join(f.root, "store", tempDir))
		for _, e := range left {
			clock := strings.HasPrefix(e.Name(), "clock-") // of one that was killed while it opened the root
			if !named && err == nil && !e.IsDir() && !clock {
				t.Errorf("an unnamed file has left %s", e.Name())
			}
		}
	})
}

func create(c *child) error {
	ctx := context.Background()
	for i := range c.size {
		key := fmt.Sprintf("%s/%d", c.name, i)
		if _, err := c.PutBytes(ctx, key, []byte(sealed(500_000, key)), blob.PutOptions{IfAbsent: true}); err != nil {
			return err
		}
		if _, err := c.PutBytes(ctx, "shared", []byte(sealed(50_000, "shared", c.name)), blob.PutOptions{}); err != nil {
			return err
		}
		c.note(key)
	}
	return nil
}

func (f *family) open() *blob.Store {
	f.t.Helper()
	s, err := Open(filepath.Join(f.root, "store"))
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// runAll lets all processes begin at one moment, and waits for them.
func (f *family) runAll() {
	f.t.Helper()
	var gates []io.Closer
	var readers sync.WaitGroup
	for range processes {
		_, gate, lines := f.start()
		gates = append(gates, gate)
		readers.Go(func() { drain(lines) })
	}
	for _, gate := range gates {
		gate.Close()
	}
	readers.Wait()
	for _, cmd := range f.children {
		if err := cmd.Wait(); err != nil {
			f.t.Errorf("%v: %v", cmd.Env[len(cmd.Env)-2], err)
		}
	}
}

func drain(lines *bufio.Scanner) {
	for lines.Scan() {
	}
}

// runAndKill keeps the processes running, kills so many of them, each after a
// random number of lines, and starts others in their place. It returns the
// names of the killed ones.
func (f *family) runAndKill(kills int) map[string]bool {
	f.t.Helper()
	killed := make(map[string]bool)
	type ending struct {
		cmd    *exec.Cmd
		name   string
		killed bool
	}
	endings := make(chan ending)
	running := 0
	begin := func(kill bool) {
		name := fmt.Sprint("child", len(f.children))
		cmd, gate, lines := f.start()
		gate.Close()
		running++
		go func() {
			if kill {
				for n := rand.IntN(2 * f.size); n > 0 && lines.Scan(); n-- {
				}
				cmd.Process.Kill()
			}
			drain(lines)
			endings <- ending{cmd, name, kill}
		}()
	}
	for range processes {
		begin(kills > 0)
		kills--
	}
	for running > 0 {
		e := <-endings
		running--
		err := e.cmd.Wait()
		switch {
		case e.killed && err != nil && err.Error() == "signal: killed":
			killed[e.name] = true
		case err != nil:
			f.t.Errorf("%s: %v", e.name, err)
		}
		if kills > 0 {
			begin(true)
			kills--
		} else if e.killed && running < processes/4 {
			begin(false)
		}
	}
	return killed
}
