//go:build linux || darwin

// Package agent is what executor/remote starts on another machine: the same program,
// which runs one worker as a subprocess and tells whoever is connected how it goes.
// It does not end with its connection: the worker runs on, and whoever comes later
// finds it by its name, through a socket of this machine.
package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/base/far"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// Serve makes this process an agent if it was started as one, which asked says.
func Serve() (code int, asked bool) {
	how, asked := os.LookupEnv(far.Variable)
	if !asked {
		return 0, false
	}
	os.Unsetenv(far.Variable)
	if hash, fresh := strings.CutPrefix(how, far.Check); fresh {
		if err := settle(hash); err != nil {
			fmt.Fprintln(os.Stderr, "mops agent:", err)
			return executor.ExitFailed, true
		}
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mops agent:", err)
		return executor.ExitFailed, true
	}
	return executor.ExitOK, true
}

// oldProgram is how long a program that nobody started any more is kept.
const oldProgram = 30 * 24 * time.Hour

// settle gives the program that came just now the name of its hash, if it is whole,
// and removes old ones beside it.
func settle(hash string) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != hash {
		os.Remove(path)
		return fmt.Errorf("the program that came over the connection is damaged: its SHA-256 is %s, not %s; call it again", got, hash)
	}
	folder := filepath.Dir(path)
	if err := os.Rename(path, filepath.Join(folder, hash)); err != nil {
		return err
	}
	others, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, other := range others {
		if info, err := other.Info(); err == nil && time.Since(info.ModTime()) > oldProgram {
			os.Remove(filepath.Join(folder, other.Name()))
		}
	}
	return nil
}

// serve is the connection that started this process.
func serve(in io.Reader, out io.Writer) error {
	syscall.Setsid() // unless this process leads one already; see sweep
	// Who is connected may go; that ends neither this process nor the worker.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGPIPE)
	asked := json.NewDecoder(in)
	if err := json.NewEncoder(out).Encode(far.Report{Hello: &far.Hello{Host: hostname()}}); err != nil {
		return err
	}
	var first far.Request
	for first.Start == nil && first.Attach == nil {
		if err := asked.Decode(&first); err != nil {
			return nil // it left, and nothing was begun
		}
	}
	rest := io.MultiReader(asked.Buffered(), in)
	if first.Attach != nil {
		return relay(*first.Attach, rest, out)
	}
	listener, err := listen(first.Start.Name)
	if errors.Is(err, errRuns) { // the answer to an earlier start was lost
		return relay(far.Attach{Name: first.Start.Name}, rest, out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops agent: the worker will not be found again if this connection is lost:", err)
	}
	return run(*first.Start, listener, rest, out)
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "an unnamed machine"
	}
	return host
}

// run runs the worker to its end.
func run(start far.Start, listener net.Listener, in io.Reader, out io.Writer) error {
	refuse := func(err error) error {
		return json.NewEncoder(out).Encode(far.Report{Refused: err.Error()})
	}
	if err := sees(start.Folder); err != nil {
		return refuse(err)
	}
	h := newHub()
	w, err := subprocess.New(subprocess.Grace(start.Grace)).Start(context.Background(), executor.Invocation{
		Function: start.Function, MemoURI: start.MemoURI, Log: h.log,
		Env: append(start.Env, far.GraceVariable+"="+start.Grace.String()),
	})
	if err != nil {
		return refuse(err)
	}
	h.stopper.worker = w
	go h.heed()
	h.join(in, out, 0)
	if listener != nil {
		defer listener.Close()
		go h.accept(listener)
	}
	exit, err := w.Wait(context.Background())
	if err != nil {
		return err
	}
	h.stopper.settle()
	sweep()
	h.end(far.ExitOf(exit))
	return nil
}

// heed stops the worker when this process is told to end.
func (h *hub) heed() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	h.stopper.stop(false)
}

// accept lets others join until the listener is closed.
func (h *hub) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			var asked far.Request
			decoder := json.NewDecoder(conn)
			if decoder.Decode(&asked) == nil && asked.Attach != nil {
				h.join(io.MultiReader(decoder.Buffered(), conn), conn, asked.Attach.From)
			}
		}()
	}
}

// stopper ends the worker, once.
type stopper struct {
	worker executor.Worker
	mu     sync.Mutex
	cancel context.CancelFunc // of the time that it has; nil before it was stopped
}

// stop gives the worker its time to end, and none with atOnce. It does not wait.
func (s *stopper) stop(atOnce bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		var ctx context.Context
		ctx, s.cancel = context.WithCancel(context.Background())
		go s.worker.Stop(ctx) // settle waits for what it does
	}
	if atOnce {
		s.cancel()
	}
}

// settleTime bounds the wait for processes that were sent SIGKILL.
const settleTime = 30 * time.Second

// settle returns when nothing of a worker that was stopped runs any more.
func (s *stopper) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	if err := s.worker.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mops agent:", err)
	}
}

// seesWithin is how long a folder that another machine made may stay hidden: network
// file systems remember what was not there.
const seesWithin = 10 * time.Second

// sees checks that the call's folder is there: else the worker would take an empty
// folder for the root.
func sees(folder string) error {
	if folder == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), seesWithin)
	defer cancel()
	for {
		_, err := os.Stat(folder)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) || !sleep.For(ctx, 200*time.Millisecond) {
			return fmt.Errorf("the call is not in the root there, so this is not the same folder: %w; name a root that both machines see, such as a shared file system or a cloud store, and remote.Root if it is elsewhere there", err)
		}
	}
}
