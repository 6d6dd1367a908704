//go:build linux || darwin

package subprocess

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// child is a process that this one started. One worker after another has it, or
// the list of those that are idle.
type child struct {
	pipes
	id    process.Identity
	kills oomKills // before it started

	// If it may stay:
	base  []string // the environment that it had but for that of the invocation
	env   []string // that of the latest invocation
	calls int      // that were handed to it
	used  time.Duration
	to    *json.Encoder
	from  *json.Decoder
	timer *time.Timer // ends it when it is idle for too long
}

// launch starts a process for its first call.
func launch(path string, arguments []string, dir string, base, env []string, stay bool) (*child, error) {
	p, err := newPipes(stay)
	if err != nil {
		return nil, err
	}
	c := &child{pipes: p, kills: countOOMKills(), base: base, env: env}
	if stay {
		c.to, c.from = json.NewEncoder(p.socket), json.NewDecoder(p.socket)
		if err := c.count(); err != nil {
			p.close()
			return nil, err
		}
	}
	pid, err := p.launch(path, arguments, dir, environ(base, env))
	if err != nil {
		p.close()
		return nil, err
	}
	p.closeTheirs()
	// The process is not reaped yet, so its number is still its own.
	if c.id, err = process.Of(pid); err != nil {
		c.id = process.Identity{PID: pid}
	}
	return c, nil
}

// handle names its present call; "" if nobody could find it.
func (c *child) handle() string {
	if c.id.Start == 0 {
		return ""
	}
	return process.Handle{Identity: c.id, Call: c.calls}.String()
}

// count writes down that another call begins.
func (c *child) count() error {
	c.calls++
	return c.number.set(uint64(c.calls))
}

// handover is how long a process may take to read what it is told.
const handover = 5 * time.Second

// hand lets an idle process begin another call. If that fails, the process is of
// no use any more.
func (c *child) hand(env []string) error {
	if pid, err := syscall.Wait4(c.id.PID, nil, syscall.WNOHANG, nil); pid != 0 || err != nil && err != syscall.EINTR {
		return errors.New("it has ended")
	}
	inherit.ReadRest(c.output, func([]byte) {}) // nobody's words
	if err := c.count(); err != nil {
		return err
	}
	var order inherit.Order
	for _, variable := range c.env { // those that are not in env get their former values
		key, _, _ := strings.Cut(variable, "=")
		if i := slices.IndexFunc(c.base, func(v string) bool { return strings.HasPrefix(v, key+"=") }); i >= 0 {
			order.Set = append(order.Set, c.base[i])
		} else {
			order.Unset = append(order.Unset, key)
		}
	}
	order.Set = append(order.Set, env...)
	c.env = env
	c.socket.SetWriteDeadline(time.Now().Add(handover))
	return c.to.Encode(order)
}

// wait waits until the call has ended: until the process says so, or has ended
// itself. report is nil if it did not say it.
func (c *child) wait(ctx context.Context) (report *inherit.Report, err error) {
	if c.socket == nil {
		return nil, process.WaitChild(ctx, c.id.PID)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		var got inherit.Report
		if c.from.Decode(&got) != nil {
			return // it has ended, or knows nothing of this
		}
		if report = &got; got.Stays {
			cancel()
		}
	}()
	err = process.WaitChild(ctx, c.id.PID)
	c.socket.SetReadDeadline(time.Unix(1, 0))
	<-listening
	if report == nil && err == nil {
		report = c.lastReport()
	}
	if report != nil && report.Stays {
		c.socket.SetReadDeadline(time.Time{})
		return report, nil
	}
	return report, err
}

// lastReport reads what the process has said and nobody has heard: it may end before
// who listens gets to it.
func (c *child) lastReport() *inherit.Report {
	var said bytes.Buffer
	said.ReadFrom(c.from.Buffered())
	inherit.ReadRest(c.socket, func(chunk []byte) { said.Write(chunk) })
	var report inherit.Report
	if json.NewDecoder(&said).Decode(&report) != nil {
		return nil // it has ended in the middle of its call
	}
	return &report
}

// end lets the process end that waits for a call, and sees to it that it does.
func (c *child) end() {
	c.closeOurs()
	ctx, cancel := context.WithTimeout(context.Background(), handover)
	defer cancel()
	process.WaitChild(ctx, c.id.PID)
	c.kill()
}

// kill ends the process at once, with all of its group.
func (c *child) kill() {
	process.KillGroup(c.id.PID, syscall.SIGKILL)
	for {
		if _, err := syscall.Wait4(c.id.PID, nil, 0, nil); err != syscall.EINTR {
			return
		}
	}
}

// idle are the processes that wait for a call.
type idle struct {
	longest time.Duration // that they wait

	mu       sync.Mutex
	children []*child
	ending   sync.WaitGroup // those that have waited for too long
}

// take returns a process with such an environment, the latest; nil if there is
// none.
func (l *idle) take(base []string) *child {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, c := range slices.Backward(l.children) {
		if slices.Equal(c.base, base) {
			l.children = slices.Delete(l.children, i, i+1)
			c.timer.Stop()
			return c
		}
	}
	return nil
}

// put keeps a process whose call has ended.
func (l *idle) put(c *child) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.children = append(l.children, c)
	c.timer = time.AfterFunc(l.longest, func() {
		if l.remove(c) {
			defer l.ending.Done()
			c.end()
		}
	})
}

// EndIdle ends the processes that wait for a function, see [Stay], and returns when
// they have ended, after 5 s at most. They would end by themselves when this process
// has: it is for those whose end takes all others along, such as the first process of
// a container. The executor can be used on.
func (e *Executor) EndIdle() {
	e.idle.mu.Lock()
	children := e.idle.children
	e.idle.children = nil
	e.idle.mu.Unlock()
	for _, c := range children {
		c.timer.Stop() // if it is too late for that, it finds that the process is not idle
		e.idle.ending.Go(c.end)
	}
	e.idle.ending.Wait()
}

// remove takes out a process, for which ending counts from then on.
func (l *idle) remove(c *child) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.children, c)
	if i < 0 {
		return false
	}
	l.children = slices.Delete(l.children, i, i+1)
	l.ending.Add(1)
	return true
}
