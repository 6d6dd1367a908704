package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a Chromium without a window.
type Browser struct {
	ctx  context.Context
	stop []context.CancelFunc
}

// Start starts the browser with that program, which Close ends.
func Start(ctx context.Context, program string) (*Browser, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"))
	if os.Getuid() == 0 { // Chromium refuses its sandbox to root
		options = append(options, chromedp.NoSandbox)
	}
	b := &Browser{}
	allocated, stop := chromedp.NewExecAllocator(ctx, options...)
	var end context.CancelFunc
	b.ctx, end = chromedp.NewContext(allocated)
	b.stop = []context.CancelFunc{end, stop}
	return b, chromedp.Do(b.ctx)
}

// Close ends the browser.
func (b *Browser) Close() {
	for _, stop := range b.stop {
		stop()
	}
}

// Tab is one page of the browser, and what went wrong on it.
type Tab struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	problems []string // errors of scripts, messages on the console, violations of the policy
	forgiven []string // texts of those that a test makes on purpose
	requests []string // addresses that were asked for
}

// View is how a page is looked at.
type View struct {
	Width, Height int64
	Dark          bool
	NoScript      bool
	Print         bool
	Mobile        bool
}

// Open opens a page and waits until it is ready.
func (b *Browser) Open(address string, v View) (*Tab, error) {
	t := &Tab{}
	t.ctx, t.cancel = chromedp.NewContext(b.ctx, chromedp.WithListener(t.see))
	if v.Width == 0 {
		v.Width, v.Height = 1440, 900
	}
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if v.Print {
		media.Media = "print"
	}
	err := chromedp.Do(t.ctx, // the first, so the page lives as long as this context
		call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}), call(runtime.Enable, cdp.Empty{}),
		call(performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}),
		call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: v.Width, Height: v.Height, DeviceScaleFactor: 1, Mobile: v.Mobile}),
		call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScript}),
		call(emulation.SetEmulatedMedia, media),
	)
	if err == nil {
		err = t.Do(chromedp.Navigate(address))
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("open %s: %w", address, err)
	}
	if !v.NoScript {
		if err := t.Await(ready); err != nil {
			t.Close()
			return nil, fmt.Errorf("%s is not ready: %w; %v", address, err, t.Problems())
		}
	}
	return t, nil
}

// call is a command of the protocol as an action.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

// Close closes the page.
func (t *Tab) Close() { t.cancel() }

func (t *Tab) see(event any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		t.problems = append(t.problems, fmt.Sprintf("console.%s %s", e.Type, arguments(e.Args)))
	case *runtime.EventExceptionThrown:
		t.problems = append(t.problems, fmt.Sprintf("exception: %s %s", e.ExceptionDetails.Text, arguments([]*runtime.RemoteObject{e.ExceptionDetails.Exception})))
	case *log.EventEntryAdded:
		t.problems = append(t.problems, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "data:") {
			t.requests = append(t.requests, e.Request.URL)
		}
	}
}

func arguments(list []*runtime.RemoteObject) string {
	var all []string
	for _, a := range list {
		if a == nil {
			continue
		}
		all = append(all, string(a.Value)+a.Description)
	}
	return strings.Join(all, " ")
}

// Problems are what went wrong so far.
func (t *Tab) Problems() (all []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.problems {
		if !slices.ContainsFunc(t.forgiven, func(text string) bool { return strings.Contains(p, text) }) {
			all = append(all, p)
		}
	}
	return all
}

// Requests are the addresses that were asked for.
func (t *Tab) Requests() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.requests...)
}

const patience = 5 * time.Minute

// Do runs actions on the page.
func (t *Tab) Do(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// Eval is the value of an expression, or of the promise that it is.
func Eval[T any](t *Tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Await waits until an expression is true, on whatever page the tab is then, all of which
// is there.
func (t *Tab) Await(expression string) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.readyState === "complete" && !!(`+expression+")"))
		if is && err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for %s: %w, %v", expression, ctx.Err(), err)
		}
		select { // no event says that a page has changed
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Shot is a picture of the page: of what is in sight, or of all of it.
func (t *Tab) Shot(whole bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	if whole {
		return chromedp.Run(ctx, chromedp.FullScreenshot(100))
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

// reload loads the page again.
func (t *Tab) reload() error {
	if err := t.Do(chromedp.Reload()); err != nil {
		return err
	}
	return t.Await(ready)
}

// ready is true when a page is.
const ready = `performance.getEntriesByName("mops-ready").length > 0`

// threadTime is how long the main thread of the page has worked so far, in ms.
func (t *Tab) threadTime() (float64, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	metrics, err := chromedp.Call(ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		return 0, err
	}
	for _, m := range metrics.Metrics {
		if m.Name == "TaskDuration" {
			return m.Value * 1000, nil
		}
	}
	return 0, errors.New("the browser does not say how long its thread has worked")
}

// Text is what is to be read of an element, without a script on the page.
func (t *Tab) Text(selector string) (string, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
}

// forgive takes the problems with a text for made on purpose, also those that the browser
// tells of later.
func (t *Tab) forgive(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgiven = append(t.forgiven, text)
}
