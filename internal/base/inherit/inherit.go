// Package inherit is what a subprocess has of the process that started it: two
// pipes. With them a worker sees that its orchestrator has died or let go of it,
// and then reads its own output, so that printing neither blocks nor kills it.
// executor/subprocess hands them on, and the worker's main takes them.
package inherit

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// pipesVariable tells a worker which descriptors it inherited, each with the
// number of its pipe: a child of a worker may inherit the variable without them.
const pipesVariable = "MOPS_SUBPROCESS_PIPES"

// Pipes are those of a worker.
type Pipes struct {
	output   *os.File // the worker's own standard output and error
	alive    *os.File // ends with the orchestrator
	orphaned chan struct{}
	closing  chan struct{}
	once     sync.Once
	watching sync.WaitGroup

	mu   sync.Mutex
	sink func([]byte)
}

// Take returns what the executor left to this process; ok is false when it is
// not a worker of that executor. It is to be called once, before the process
// starts others: it hides the inheritance from them.
func Take() (pipes *Pipes, ok bool) {
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
	p := &Pipes{output: output, alive: alive, orphaned: make(chan struct{}), closing: make(chan struct{})}
	p.watching.Go(p.watch)
	return p, true
}

func parsePipe(s string) (fd int, inode uint64, err error) {
	_, err = fmt.Sscanf(s, "%d:%d", &fd, &inode)
	return fd, inode, err
}

// watch waits for the end of the orchestrator. Nobody ever writes to that pipe.
func (p *Pipes) watch() {
	if ReadAll(p.alive, func([]byte) {}) {
		// A crash stops whoever drains, then prints: all of it must fit.
		enlarge(p.output)
		close(p.orphaned)
	}
}

// Orphaned is closed when the orchestrator has died or released the worker.
func (p *Pipes) Orphaned() <-chan struct{} { return p.orphaned }

// Drain hands what the worker prints to sink from when it is orphaned, one chunk
// at a time, valid during the call only. It returns at once and is to be called
// once.
func (p *Pipes) Drain(sink func(chunk []byte)) {
	p.mu.Lock()
	p.sink = sink
	p.mu.Unlock()
	p.watching.Go(func() {
		select {
		case <-p.closing:
		case <-p.orphaned:
			ReadAll(p.output, sink)
		}
	})
}

// Close ends the watching; an orphan's sink gets what is in the pipe first. The
// worker may still print, but nobody reads it.
func (p *Pipes) Close() {
	p.once.Do(func() {
		close(p.closing)
		expire(p.alive)
		expire(p.output)
		p.watching.Wait()
		select {
		case <-p.orphaned:
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.sink != nil {
				ReadRest(p.output, p.sink)
			}
		default:
		}
		p.alive.Close()
		p.output.Close()
	})
}
