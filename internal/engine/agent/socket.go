//go:build linux || darwin

package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/far"
)

// errRuns says that there is an agent for a worker of that name.
var errRuns = errors.New("the worker runs already")

// sockets is the folder of this user's agents on this machine. It is not in the home,
// which many machines may share, and its path is short, as those of sockets must be.
func sockets() (string, error) {
	folder := fmt.Sprintf("/tmp/mops-%d", os.Getuid())
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return "", err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || ok && int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s is not a folder of this user alone; remove it", folder)
	}
	return folder, nil
}

// listen lets others find this agent by the worker's name.
func listen(name string) (net.Listener, error) {
	folder, err := sockets()
	if err != nil {
		return nil, err
	}
	clean(folder)
	path := filepath.Join(folder, filepath.Base(name))
	listener, err := net.Listen("unix", path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return listener, err
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, errRuns
	}
	if err := os.Remove(path); err != nil { // its agent was killed
		return nil, err
	}
	return net.Listen("unix", path)
}

// oldSocket is after how long the socket of an agent that was killed, as by a time
// limit, is removed.
const oldSocket = 24 * time.Hour

// clean removes old sockets at which nobody listens.
func clean(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < oldSocket {
			continue
		}
		path := filepath.Join(folder, e.Name())
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			os.Remove(path)
		}
	}
}

// relay connects who started this process with the agent of a worker.
func relay(a far.Attach, in io.Reader, out io.Writer) error {
	folder, err := sockets()
	if err != nil {
		return err
	}
	conn, err := net.Dial("unix", filepath.Join(folder, filepath.Base(a.Name)))
	if err != nil {
		return json.NewEncoder(out).Encode(far.Report{Gone: true})
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(far.Request{Attach: &a}); err != nil {
		return json.NewEncoder(out).Encode(far.Report{Gone: true})
	}
	go func() { // ends with this process
		io.Copy(conn, in)
		conn.(*net.UnixConn).CloseWrite()
	}()
	io.Copy(out, conn) // until the worker has ended, or nobody reads
	return nil
}
