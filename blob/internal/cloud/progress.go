package cloud

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Stalled is the error of a request that made no progress.
type Stalled struct{ After time.Duration }

func (e *Stalled) Error() string {
	return fmt.Sprintf("the connection stalled: no byte moved for %v", e.After)
}

// Timeout makes it a net.Error's timeout, for SDKs.
func (e *Stalled) Timeout() bool   { return true }
func (e *Stalled) Temporary() bool { return true }

// watch ends a request that makes no progress. Its timer runs only while we wait
// for the network: not while we produce the body to send, nor while the caller is
// busy with bytes that came.
type watch struct {
	after  time.Duration
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	replied bool // the answer is here: bytes that are still sent count no more

	body sync.Mutex // held while the body that is sent is read
	over bool       // it belongs to its owner again
}

func newWatch(cancel context.CancelCauseFunc, after time.Duration) *watch {
	w := &watch{after: after, cancel: cancel}
	w.timer = time.AfterFunc(after, func() { cancel(&Stalled{after}) })
	return w
}

// request is r with a body that tells of progress.
func (w *watch) request(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	r.Body = &sentBody{r.Body, w}
	if again := r.GetBody; again != nil {
		r.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return &sentBody{body, w}, nil
		}
	}
	return r
}

// sending stops or starts the timer while the body is sent.
func (w *watch) sending(waiting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.replied:
	case waiting:
		w.timer.Reset(w.after)
	default:
		w.timer.Stop()
	}
}

// answered stops the timer until the response is read.
func (w *watch) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replied = true
	w.timer.Stop()
}

// end ends the request. Nothing reads the body that is sent afterwards, even if
// the answer came before all of it was sent, so its buffer can be used again.
// (net/http may go on reading in another goroutine; see http.RoundTripper.)
func (w *watch) end() {
	w.cancel(nil)
	w.body.Lock()
	defer w.body.Unlock()
	w.over = true
}

// sentBody is a body on its way out.
type sentBody struct {
	io.ReadCloser
	watch *watch
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.watch.sending(false)
	defer b.watch.sending(true)
	b.watch.body.Lock()
	defer b.watch.body.Unlock()
	if b.watch.over {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.ReadCloser.Read(p)
}

// watchedBody is a body on its way in.
type watchedBody struct {
	io.ReadCloser
	watch *watch
	ctx   context.Context // of this one request, which ends with the body
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.timer.Reset(b.watch.after)
	n, err := b.ReadCloser.Read(p)
	b.watch.timer.Stop()
	if err != nil && err != io.EOF {
		err = whyEnded(b.ctx, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.watch.timer.Stop()
	err := b.ReadCloser.Close()
	b.watch.end()
	return err
}

// whyEnded returns the reason for which we ended a request, if we did, rather than
// the error that followed from that.
func whyEnded(ctx context.Context, err error) error {
	if stalled, ok := context.Cause(ctx).(*Stalled); ok {
		return stalled
	}
	return err
}
