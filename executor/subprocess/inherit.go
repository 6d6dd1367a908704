package subprocess

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// pipesVariable tells a worker which descriptors it inherited, each with the
// number of its pipe: a child of a worker may inherit the variable without them.
const pipesVariable = "MOPS_SUBPROCESS_PIPES"

// Inherited is what a worker has of its orchestrator. With it the worker sees
// that the orchestrator has died or let go of it, and then reads its own output,
// so that printing neither blocks nor kills it.
type Inherited struct {
	output   *os.File // the worker's own standard output and error
	alive    *os.File // ends with the orchestrator
	orphaned chan struct{}
	closing  chan struct{}
	once     sync.Once
	watching sync.WaitGroup

	mu   sync.Mutex
	sink func([]byte)
}

// Inherit returns what the executor left to this process; ok is false when it is
// not a worker of this executor. It is to be called once, before the process
// starts others: it hides the inheritance from them.
func Inherit() (inherited *Inherited, ok bool) {
	value, ok := os.LookupEnv(pipesVariable)
	if !ok {
		return nil, false
	}
	os.Unsetenv(pipesVariable)
	first, second, _ := strings.Cut(value, ",")
	output, err := inherit(first, "own output")
	if err != nil {
		return nil, false
	}
	alive, err := inherit(second, "orchestrator")
	if err != nil {
		output.Close()
		return nil, false
	}
	i := &Inherited{output: output, alive: alive, orphaned: make(chan struct{}), closing: make(chan struct{})}
	i.watching.Go(i.watch)
	return i, true
}

func parsePipe(s string) (fd int, inode uint64, err error) {
	_, err = fmt.Sscanf(s, "%d:%d", &fd, &inode)
	return fd, inode, err
}

// watch waits for the end of the orchestrator. Nobody ever writes to that pipe.
func (i *Inherited) watch() {
	if readAll(i.alive, func([]byte) {}) {
		// A crash stops whoever drains, then prints: all of it must fit.
		enlarge(i.output)
		close(i.orphaned)
	}
}

// Orphaned is closed when the orchestrator has died or released the worker.
func (i *Inherited) Orphaned() <-chan struct{} { return i.orphaned }

// Drain hands what the worker prints to sink from when it is orphaned, one chunk
// at a time, valid during the call only. It returns at once and is to be called
// once.
func (i *Inherited) Drain(sink func(chunk []byte)) {
	i.mu.Lock()
	i.sink = sink
	i.mu.Unlock()
	i.watching.Go(func() {
		select {
		case <-i.closing:
		case <-i.orphaned:
			readAll(i.output, sink)
		}
	})
}

// Close ends the watching; an orphan's sink gets what is in the pipe first. The
// worker may still print, but nobody reads it.
func (i *Inherited) Close() {
	i.once.Do(func() {
		close(i.closing)
		expire(i.alive)
		expire(i.output)
		i.watching.Wait()
		select {
		case <-i.orphaned:
			i.mu.Lock()
			defer i.mu.Unlock()
			if i.sink != nil {
				readRest(i.output, i.sink)
			}
		default:
		}
		i.alive.Close()
		i.output.Close()
	})
}
