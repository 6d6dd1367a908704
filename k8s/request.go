package k8s

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

const (
	// requestTimeout bounds a request that neither watches nor follows.
	requestTimeout = 30 * time.Second

	// How long a cluster may not answer: a cluster that answered before is starting
	// again, or its user's credentials are being renewed; one that never did is not
	// there.
	patienceKnown   = 5 * time.Minute
	patienceUnknown = 10 * time.Second
)

func (c *cluster) patience() time.Duration {
	if c.reached.Load() {
		return patienceKnown
	}
	return patienceUnknown
}

// try makes a request, again and again while its failure may pass and the
// context lasts.
func (c *cluster) try(ctx context.Context, request func(context.Context) error) error {
	return c.again(ctx, func() error {
		bounded, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		return request(bounded)
	})
}

// write is try for requests that change something, not too many at once. It
// waits for the end of a request that is under way when the context ends: else
// nobody would know what it did.
func (c *cluster) write(ctx context.Context, request func(context.Context) error) error {
	if err := c.writes.enter(ctx); err != nil {
		return err
	}
	defer c.writes.leave()
	return c.again(ctx, func() error {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		return request(bounded)
	})
}

func (c *cluster) again(ctx context.Context, request func() error) error {
	begun := time.Now()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := request()
		if err == nil || isStatus(err) && !apierrors.IsUnauthorized(err) {
			c.reached.Store(true)
		}
		if err == nil || !c.passes(err) || time.Since(begun) > c.patience() {
			return err
		}
		wait := pause/2 + rand.N(pause/2)
		if seconds, ok := apierrors.SuggestsClientDelay(err); ok { // client-go heeded it ten times
			wait = max(wait, time.Duration(seconds)*time.Second)
		}
		if !sleep.For(ctx, wait) {
			return ctx.Err()
		}
	}
}

// passes reports whether a failure may pass by itself.
func (c *cluster) passes(err error) bool {
	switch {
	case apierrors.IsUnauthorized(err):
		return c.reached.Load() // an expired token, which client-go renews
	case apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsTooManyRequests(err),
		apierrors.IsInternalError(err), apierrors.IsServiceUnavailable(err):
		return true
	case strings.Contains(err.Error(), "getting credentials"), strings.Contains(err.Error(), "x509:"):
		return false // the user has to do something
	case isStatus(err):
		return apierrors.ReasonForError(err) == "" // 502 and the like, from something in between
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err), utilnet.IsHTTP2ConnectionLost(err):
		return true
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return c.reached.Load()
	}
	return true // an error of the network
}

func isStatus(err error) bool {
	_, ok := errors.AsType[*apierrors.StatusError](err)
	return ok
}

// explain adds to a refusal what to do about it.
func (c *cluster) explain(err error, verb, resource, namespace string) error {
	at := fmt.Sprintf("%s %s in namespace %s of %s", verb, resource, namespace, c.name)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case isDenied(err):
		return fmt.Errorf("no permission to %s; %s: %w", at, kube.HowToGrant(namespace, err), err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the credentials for %s are not accepted; log in again, and see `kubectl auth whoami`: %w", c.name, err)
	case strings.Contains(err.Error(), "getting credentials"):
		return fmt.Errorf("there are no credentials for %s; log in again (az login, gcloud auth login, aws sso login): %w", c.name, err)
	case c.passes(err) && !isStatus(err):
		return fmt.Errorf("%s does not answer; see `kubectl cluster-info`: %w", c.name, err)
	}
	return fmt.Errorf("%s: %w", at, err)
}

// isDenied reports whether a permission is missing: admission controllers
// forbid things, too, and say why.
func isDenied(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ")
}
