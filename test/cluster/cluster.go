package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Cluster is a Kubernetes that runs. Its methods may be called concurrently, but for
// Stop, which comes last.
type Cluster struct {
	// Kubeconfig is the path of one for an administrator. Every program of this
	// user on this machine can use it.
	Kubeconfig string

	// Host is the address of this machine that pods reach; see [Cluster.Listen].
	Host string

	// Registry is host and port of a registry that this process and the cluster
	// reach under this name, without TLS and credentials; "" if simulated.
	Registry string

	slot       *slot
	namespace  *namespace // where the programs run; nil if simulated
	pki        *authority
	endpoint   endpoint
	background []func() error // ends what serves from this process
	config     *rest.Config
	client     *kubernetes.Clientset

	mu      sync.Mutex
	daemons map[string]*daemon

	kueueOnce sync.Once // guards the start of Kueue
	kueueErr  error
}

// endpoint is where the servers of the control plane listen.
type endpoint struct {
	api            string // address of the API server, as everybody reaches it
	bind           string // where it listens
	apiPort        int
	etcdPort, peer int // on the loopback address
}

// These are for one cluster, on a machine that builds something meanwhile.
const (
	startTimeout = 5 * time.Minute
	stopTimeout  = 2 * time.Minute
)

// StartReal starts a cluster with one node that runs containers. Stop ends it; so
// does the end of this process, but for things that the next start removes. The
// error is [ErrMissing] where it cannot run.
func StartReal(ctx context.Context) (*Cluster, error) {
	return start(ctx, MissingReal, (*Cluster).startReal)
}

// StartSimulated starts a cluster without containers. Stop ends it, as does the end
// of this process. The error is [ErrMissing] where it cannot run.
func StartSimulated(ctx context.Context) (*Cluster, error) {
	return start(ctx, MissingSimulated, (*Cluster).startSimulated)
}

func start(ctx context.Context, missing func() error, steps func(*Cluster, context.Context) error) (*Cluster, error) {
	if err := missing(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s, err := takeSlot()
	if err != nil {
		return nil, err
	}
	c := &Cluster{slot: s, daemons: map[string]*daemon{}}
	if err := steps(c, ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Stop ends the cluster and removes all that it left on this machine.
func (c *Cluster) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var failed error
	for _, stop := range slices.Backward(c.background) {
		failed = errors.Join(failed, stop())
	}
	if c.namespace != nil {
		failed = errors.Join(failed, c.namespace.end(ctx)) // and all in it
	}
	for _, d := range c.daemons {
		failed = errors.Join(failed, d.stop(ctx, syscall.SIGKILL))
	}
	if failed != nil {
		// What may still run keeps its slot until this process ends.
		return fmt.Errorf("stop the cluster in %s: %w", c.slot.dir, failed)
	}
	return c.slot.release()
}

// RESTConfig is an administrator's, with client-go's default limits.
func (c *Cluster) RESTConfig() *rest.Config { return rest.CopyConfig(c.config) }

// Client is an administrator's, without limits of its own.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// RestartAPIServer kills the API server, and returns when it serves again. Watches
// and requests that are under way break off.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	if err := c.StopAPIServer(ctx); err != nil {
		return err
	}
	return c.StartAPIServer(ctx)
}

// StopAPIServer kills the API server. Until StartAPIServer, connections to it are
// refused.
func (c *Cluster) StopAPIServer(ctx context.Context) error {
	_, err := c.kill(ctx, apiServer)
	return err
}

// kill ends one of the cluster's programs, and reports whether it ran.
func (c *Cluster) kill(ctx context.Context, program string) (ran bool, err error) {
	c.mu.Lock()
	d, ran := c.daemons[program]
	delete(c.daemons, program)
	c.mu.Unlock()
	if !ran {
		return false, nil
	}
	return true, d.stop(ctx, syscall.SIGKILL)
}

// StartAPIServer starts the API server again, and returns when it serves.
func (c *Cluster) StartAPIServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.startAPIServer(ctx); err != nil {
		return err
	}
	return c.restartKWOK(ctx)
}

// run starts one of the cluster's programs.
func (c *Cluster) run(program string, args ...string) error {
	return c.runCommand(program, c.command(binary(program), args...))
}

func (c *Cluster) runCommand(name string, command *exec.Cmd) error {
	d, err := startDaemon(c.slot.dir, name, command)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.daemons[name] = d
	return nil
}

// failure says which program ended that should run; nil if none did.
func (c *Cluster) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.daemons {
		if err := d.failure(); err != nil {
			return err
		}
	}
	return nil
}

// until waits until the check finds no fault, and fails early when a program of the
// cluster ended.
func (c *Cluster) until(ctx context.Context, what string, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if failure := c.failure(); failure != nil {
			return fmt.Errorf("waiting for %s: %w", what, failure)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; at last: %w; the logs are in %s", what, ctx.Err(), err, c.slot.dir)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// serves checks that the API server is ready.
func (c *Cluster) serves(ctx context.Context) error {
	var status int
	err := c.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&status).Error()
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("it answers %d", status)
	}
	return err
}

func (c *Cluster) writeFile(name, text string) (path string, err error) {
	path = c.slot.dir + "/" + name
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// PauseKubelet stops the kubelet where it is: the node falls silent, and its
// containers run on. ResumeKubelet lets it go on.
func (c *Cluster) PauseKubelet() error { return c.signalKubelet(syscall.SIGSTOP) }

// ResumeKubelet lets the kubelet go on.
func (c *Cluster) ResumeKubelet() error { return c.signalKubelet(syscall.SIGCONT) }

func (c *Cluster) signalKubelet(signal syscall.Signal) error {
	c.mu.Lock()
	d, ok := c.daemons["kubelet"]
	c.mu.Unlock()
	if !ok {
		return errors.New("the cluster has no kubelet")
	}
	return d.id.SignalGroup(signal)
}
