package page

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
)

// server shows a root. Nothing that it does writes to the store.
type server struct {
	behind *backstage
	store  *blob.Store
	now    func() time.Time
	log    *slog.Logger
	prices programs.Prices
	runs   *runCache
	index  *index
}

func newServer(ctx context.Context, store *blob.Store, prices programs.Prices, now func() time.Time, log *slog.Logger) *server {
	behind := &backstage{ctx: ctx}
	return &server{
		behind: behind, store: store, prices: prices, now: now, log: log,
		runs: newRunCache(store, behind), index: newIndex(store),
	}
}

// handler answers requests from this machine's own browsers.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page(s.root))
	mux.HandleFunc("GET /run/{id}", s.page(s.run))
	mux.HandleFunc("GET /function/{folder...}", s.page(s.function))
	mux.HandleFunc("GET /call/{memo...}", s.page(s.call))
	mux.HandleFunc("GET /log/{memo...}", s.page(s.logOf))
	return guarded(mux)
}

// guarded lets through what a browser asks for that shows pages of this server. Any
// web page could have a browser ask: under a name of its own that leads to this
// machine (DNS rebinding), or for something to put into itself.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy()+"; connect-src 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !loopbackName(r.Host):
			http.Error(w, "This server answers to localhost alone.", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "This server only shows.", http.StatusMethodNotAllowed)
		case crossSite(r):
			http.Error(w, "Another site may not ask for this.", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// loopbackName reports whether the host of a request is this machine's, by a name
// that nobody else can give it. Ports are forwarded, so any will do.
func loopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// crossSite reports whether another site had the browser ask, other than by a link.
func crossSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// problemPage says why there is nothing to be shown.
type problemPage struct {
	frame
	Status  int
	Heading string
	Text    string
}

// page turns an error into a page that says so.
func (s *server) page(show func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := show(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		p := problemPage{frame: frame{Title: "Not shown", Kind: "problem", Root: s.store.Root(), Now: s.now(), Served: true}, Status: http.StatusInternalServerError, Heading: "This could not be read", Text: text.CleanLines(err.Error())}
		var missing *missingError
		if errors.As(err, &missing) || errors.Is(err, programs.ErrNone) || blob.Is(err, blob.NotFound) || cli.IsNotFound(err) {
			p.Status, p.Heading = http.StatusNotFound, "There is nothing here"
			p.Text += "\nIt may have been removed, by mops gc say, since the page that led here was made."
		} else {
			s.log.Warn("a page could not be made", "path", r.URL.Path, "error", err)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(p.Status)
		if err := render(w, "problem.html", p); err != nil {
			s.log.Error("a page could not be made", "error", err)
		}
	}
}

// missingError says that an address is none of ours.
type missingError struct{ error }

func (s *server) show(w http.ResponseWriter, name string, page any) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return render(w, name, page)
}

func (s *server) root(w http.ResponseWriter, r *http.Request) error {
	p, err := s.newRootPage(r.Context(), r.URL.Query().Get("before"))
	if err != nil {
		return err
	}
	return s.show(w, "root.html", p)
}

func (s *server) run(w http.ResponseWriter, r *http.Request) error {
	from, _ := strconv.Atoi(r.URL.Query().Get("from"))
	return s.runs.get(r.Context(), r.PathValue("id"), func(run *programs.Run) error {
		p := newRunPage(r.Context(), s.store, run, s.prices, s.now(), max(from, 0))
		p.Served = true
		return s.show(w, "run.html", p)
	})
}

func (s *server) function(w http.ResponseWriter, r *http.Request) error {
	known := s.index.now(r.Context(), s.behind)
	folder := r.PathValue("folder")
	f, ok := known.find(folder)
	if !ok {
		if !known.at.IsZero() {
			return &missingError{fmt.Errorf("%s has no calls", s.store.URI(folder))}
		}
		f = indexed{Folder: folder, Name: folder[strings.LastIndexByte(folder, '/')+1:]}
	}
	return s.show(w, "function.html", newFunctionPage(s.store.Root(), f, known, s.now()))
}

// address is that of the call in a request.
func (s *server) address(r *http.Request) (roots.Address, error) {
	call, err := memokey.Parse(r.PathValue("memo"))
	if err != nil || call.Root != "" {
		return roots.Address{}, &missingError{fmt.Errorf("%q is not the address of a call", r.PathValue("memo"))}
	}
	return roots.Of(s.store, call), nil
}

func (s *server) call(w http.ResponseWriter, r *http.Request) error {
	x, err := s.address(r)
	if err != nil {
		return err
	}
	p, err := newCallPage(r.Context(), x, s.now(), r.URL.Query().Has("full"))
	if err != nil {
		return err
	}
	return s.show(w, "call.html", p)
}

// logOf writes the whole log of a run as plain text.
func (s *server) logOf(w http.ResponseWriter, r *http.Request) error {
	x, err := s.address(r)
	if err != nil {
		return err
	}
	run := r.URL.Query().Get("run")
	if run == "" || strings.ContainsAny(run, "/") {
		return &missingError{errors.New("the address does not say of which run the log is")}
	}
	next, err := runlog.Next(r.Context(), s.store, x.Place().Log(run))
	if err != nil {
		return err
	}
	if next == 1 {
		return &missingError{fmt.Errorf("run %s of %s has no log", run, x.URI())}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	plain := cli.NewTextWriter(w)
	if _, err := runlog.Copy(r.Context(), plain, s.store, x.Place().Log(run), 1); err != nil {
		fmt.Fprintf(plain, "\n[mops: the log could not be read on: %v]\n", err)
	}
	return plain.Flush()
}

// serve answers at a listener until the context ends.
func (s *server) serve(listener net.Listener) error {
	h := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return s.behind.ctx }, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(listener) }()
	defer s.behind.group.Wait()
	select {
	case err := <-ended:
		return err
	case <-s.behind.ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(s.behind.ctx), time.Second)
	defer cancel()
	if h.Shutdown(closing) != nil {
		h.Close()
	}
	<-ended
	return nil
}
