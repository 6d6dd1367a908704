//go:build linux || darwin

package subprocess

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// chunkSize is the most that a log is given at once.
const chunkSize = 32 << 10

// pipeSize is more than a pipe holds: what a process leaves in its pipe when it
// dies is less. See pipe-max-size in pipe(7).
const pipeSize = 1 << 20

var buffers = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// read hands what the worker prints to its log, until the pipe ends or, past the
// reading deadline, is empty.
func (w *worker) read() {
	take := func(chunk []byte) {
		w.tail.add(chunk)
		if w.log != nil {
			w.log(chunk)
		}
	}
	if !readAll(w.output, take) {
		readRest(w.output, take)
	}
}

// readAll reads until the end of the pipe (true) or an error, such as a deadline.
func readAll(pipe *os.File, take func([]byte)) bool {
	buffer := buffers.Get().(*[chunkSize]byte)
	defer buffers.Put(buffer)
	for {
		n, err := pipe.Read(buffer[:])
		if n > 0 {
			take(buffer[:n])
		}
		if err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrClosed)
		}
	}
}

// readRest reads what is in the pipe already, and waits for nothing.
func readRest(pipe *os.File, take func([]byte)) {
	pipe.SetReadDeadline(time.Time{})
	conn, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	buffer := buffers.Get().(*[chunkSize]byte)
	defer buffers.Put(buffer)
	for got := 0; got < pipeSize; {
		n := 0
		conn.Read(func(fd uintptr) bool {
			for {
				n, err = syscall.Read(int(fd), buffer[:])
				if err != syscall.EINTR {
					return true
				}
			}
		})
		if n <= 0 {
			return
		}
		take(buffer[:n])
		got += n
	}
}
