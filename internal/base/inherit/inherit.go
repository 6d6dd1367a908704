// Package inherit is what a subprocess has of the process that started it: two
// pipes. With them a worker sees that its orchestrator has died or let go of it,
// and then reads its own output, so that printing neither blocks nor kills it.
// A worker that stays has two more: a socket, on which it reports the end of its
// call and gets the next one, and a file that tells others which call that is.
// executor/subprocess hands them on, and the worker's main takes them.
package inherit

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// pipesVariable tells a worker which descriptors it inherited, each with its
// inode: a child of a worker may inherit the variable without them.
const pipesVariable = "MOPS_SUBPROCESS_PIPES"

// Pipes are those of a worker. A nil *Pipes is that of a process without.
type Pipes struct {
	output   *os.File // the worker's own standard output and error
	alive    *os.File // ends with the orchestrator
	orphaned chan struct{}
	once     sync.Once
	watching sync.WaitGroup

	calls *calls // nil if the process is there for one call only
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
	descriptions := strings.Split(value, ",")
	if len(descriptions) < 2 {
		return nil, false
	}
	output, err := inherit(descriptions[0], isPipe, "own output")
	if err != nil {
		return nil, false
	}
	alive, err := inherit(descriptions[1], isPipe, "orchestrator")
	if err != nil {
		output.Close()
		return nil, false
	}
	p := &Pipes{output: output, alive: alive, orphaned: make(chan struct{})}
	if len(descriptions) == 4 {
		p.calls = takeCalls(descriptions[2], descriptions[3])
	}
	p.watching.Go(p.watch)
	return p, true
}

func parseDescription(s string) (fd int, inode uint64, err error) {
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
// at a time, valid during the call only. It returns at once. End stops that; an
// orphan's sink gets what is in the pipe first. There is to be one drain at a
// time. The worker may still print after the end, but nobody reads it.
func (p *Pipes) Drain(sink func(chunk []byte)) (end func()) {
	p.output.SetReadDeadline(time.Time{}) // the end of another drain may have set one
	ending := make(chan struct{})
	var draining sync.WaitGroup
	draining.Go(func() {
		select {
		case <-ending:
		case <-p.orphaned:
			ReadAll(p.output, sink)
		}
	})
	return sync.OnceFunc(func() {
		close(ending)
		expire(p.output)
		draining.Wait()
		select {
		case <-p.orphaned:
			ReadRest(p.output, sink)
		default:
		}
	})
}

// Call is the number of the present call, from 1; 0 if the process is there for
// one call only.
func (p *Pipes) Call() int {
	if p == nil || p.calls == nil {
		return 0
	}
	return p.calls.number
}

// Next reports that the present call has ended with a code, and waits for the
// next one. It then has set the environment variables of that one, so that the
// process goes on as if it had just been started. If there is none to come, or if
// the present call did not leave the process as it was, it returns false: the
// process is to end, with that code.
func (p *Pipes) Next(code int) bool {
	return p != nil && p.calls != nil && p.calls.next(code)
}

// Close ends the watching.
func (p *Pipes) Close() {
	if p == nil {
		return
	}
	p.once.Do(func() {
		expire(p.alive)
		p.watching.Wait()
		p.alive.Close()
		p.output.Close()
		if p.calls != nil {
			p.calls.close()
		}
	})
}
