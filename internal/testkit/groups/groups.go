//go:build unix

// Package groups is an executor for tests whose workers share packs of calls, as
// pods of a cluster do, but are processes of this machine: each in place of a
// pod, with a supervisor of its own.
package groups

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// Executor starts the workers of a group as processes. Others find them again by
// files in Dir. It replaces a worker that dies, Replace times for each group.
type Executor struct {
	Dir     string
	Pack    executor.Packing
	Replace int
	Window  int      // how many calls the engine lets in; 0: no limit
	Env     []string // of workers, "KEY=value"
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Packer   = (*Executor)(nil)
	_ executor.Namer    = (*Executor)(nil)
	_ executor.Limited  = (*Executor)(nil)
	_ executor.Remote   = (*Executor)(nil)
)

func (e *Executor) Name() string              { return "groups" }
func (e *Executor) Packing() executor.Packing { return e.Pack }
func (e *Executor) Limit() int                { return e.Window }
func (e *Executor) RunsRemotely() bool        { return true }

// HandleOf is the name of a folder in Dir.
func (e *Executor) HandleOf(inv executor.Invocation) string {
	return fmt.Sprintf("%s-%d", inv.LeaseID, inv.Attempt)
}

// starter starts a process for one worker; a pod has as long to end as the
// supervisor takes for its processes.
func starter() *subprocess.Executor { return subprocess.New(subprocess.Grace(10 * time.Second)) }

// Start implements executor.Executor.
func (e *Executor) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	handle := e.HandleOf(inv)
	if err := os.MkdirAll(filepath.Join(e.Dir, handle), 0o700); err != nil {
		return nil, &executor.Error{Reason: executor.LaunchFailed, Message: err.Error(), Err: err}
	}
	g := &group{handle: handle, inv: inv, ended: make(chan struct{})}
	if inv.Tell != nil {
		inv.Tell(executor.Running)
	}
	for index := range max(inv.Workers, 1) {
		if err := e.start(ctx, g, index); err != nil {
			return nil, errors.Join(err, g.Stop(context.WithoutCancel(ctx)))
		}
	}
	replace := e.Replace
	if inv.Workers == 0 {
		replace = 0
	}
	g.watch(e, replace)
	return g, nil
}

func (e *Executor) start(ctx context.Context, g *group, index int) error {
	inv := g.inv
	inv.Env = append(slices.Concat(e.Env, inv.Env), fmt.Sprintf("%s=%d", executor.IndexVariable, index))
	inv.Tell = nil
	w, err := starter().Start(ctx, inv)
	if err != nil {
		return err
	}
	if err := e.publish(g.handle, index, w.Handle()); err != nil {
		return errors.Join(err, w.Stop(ctx))
	}
	g.mu.Lock()
	for len(g.workers) <= index {
		g.workers = append(g.workers, nil)
	}
	g.workers[index] = w
	stopped, released := g.stopped, g.released
	g.mu.Unlock()
	switch { // whoever did that meanwhile did not see this one
	case stopped:
		return w.Stop(ctx)
	case released:
		w.Release()
	}
	return nil
}

// publish lets others find a worker. They see all of its handle, or nothing.
func (e *Executor) publish(group string, index int, handle string) error {
	file, err := os.CreateTemp(e.Dir, "new-")
	if err != nil {
		return err
	}
	_, err = file.WriteString(handle)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(e.Dir, group, fmt.Sprint(index)))
}

// Attach implements executor.Executor.
func (e *Executor) Attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	files, err := filepath.Glob(filepath.Join(e.Dir, filepath.Base(handle), "*"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("attach to group %s: %w", handle, executor.ErrGone)
	}
	g := &group{handle: handle, inv: inv, ended: make(chan struct{})}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		w, err := starter().Attach(ctx, inv, string(text))
		switch {
		case err == nil:
			g.workers = append(g.workers, w)
		case !errors.Is(err, executor.ErrGone):
			return nil, err
		}
	}
	if len(g.workers) == 0 {
		return nil, fmt.Errorf("attach to group %s: %w", handle, executor.ErrGone)
	}
	if inv.Tell != nil {
		inv.Tell(executor.Running)
	}
	g.watch(e, 0)
	return g, nil
}

type group struct {
	handle string
	inv    executor.Invocation
	ended  chan struct{}

	mu       sync.Mutex
	workers  []executor.Worker
	stopped  bool
	released bool
	exit     executor.Exit
}

// watch sees all workers to their ends.
func (g *group) watch(e *Executor, replace int) {
	var all sync.WaitGroup
	for index := range g.workers {
		all.Go(func() { g.watchOne(e, index, &replace) })
	}
	go func() {
		all.Wait()
		close(g.ended)
	}()
}

func (g *group) watchOne(e *Executor, index int, replace *int) {
	for {
		g.mu.Lock()
		w := g.workers[index]
		g.mu.Unlock()
		exit, err := w.Wait(context.Background())
		if err != nil {
			return // released
		}
		g.mu.Lock()
		again := exit.Err != nil && !g.stopped && !g.released && exit.Code != executor.ExitUnfit && *replace > 0
		if again {
			*replace--
		} else if exit.Err != nil || g.inv.Workers == 0 {
			g.exit = exit
		}
		g.mu.Unlock()
		if !again {
			return
		}
		if err := e.start(context.Background(), g, index); err != nil {
			return
		}
	}
}

func (g *group) Handle() string { return g.handle }

func (g *group) Wait(ctx context.Context) (executor.Exit, error) {
	select {
	case <-g.ended:
	case <-ctx.Done():
		return executor.Exit{}, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.released {
		return executor.Exit{}, errors.New("the group was released")
	}
	return g.exit, nil
}

func (g *group) Stop(ctx context.Context) error {
	g.mu.Lock()
	g.stopped = true
	workers := slices.Clone(g.workers)
	g.mu.Unlock()
	var failed []error
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, w := range workers {
		all.Go(func() {
			if err := w.Stop(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

func (g *group) Release() {
	g.mu.Lock()
	g.released = true
	workers := slices.Clone(g.workers)
	g.mu.Unlock()
	for _, w := range workers {
		w.Release()
	}
}
