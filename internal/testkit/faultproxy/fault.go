package faultproxy

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// Fault is what befalls a request. Pass lets the server answer, to the client
// or, where a ResponseWriter is given, to that.
type Fault func(w http.ResponseWriter, r *http.Request, pass func(to http.ResponseWriter))

// Answer answers in the server's place; nothing reaches the server.
func Answer(status int, header http.Header, body string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) {
		drain(r)
		for name, values := range header {
			w.Header()[http.CanonicalHeaderKey(name)] = values
		}
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			w.Write([]byte(body))
		}
	}
}

// Drop breaks the connection before anything reaches the server.
func Drop() Fault {
	return func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) { panic(http.ErrAbortHandler) }
}

// LoseAnswer lets the server do what it was asked to, and breaks the connection
// in place of the answer.
func LoseAnswer() Fault {
	return func(_ http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		pass(&nowhere{header: http.Header{}})
		panic(http.ErrAbortHandler)
	}
}

// ReplaceAnswer lets the server do what it was asked to, and answers otherwise.
func ReplaceAnswer(status int, header http.Header, body string) Fault {
	answer := Answer(status, header, body)
	return func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		pass(&nowhere{header: http.Header{}})
		answer(w, r, nil)
	}
}

// Stall neither answers nor passes on, until the client leaves.
func Stall() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) {
		drain(r) // else nobody notices that the client leaves
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// Delay lets the request wait, then passes it on.
func Delay(d time.Duration) Fault {
	return func(_ http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if !sleep.For(r.Context(), d) {
			panic(http.ErrAbortHandler)
		}
		pass(nil)
	}
}

// CutAfter breaks the connection after n bytes of the answer's body.
func CutAfter(n int) Fault {
	return func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		pass(&altered{ResponseWriter: w, at: n, then: func([]byte) { panic(http.ErrAbortHandler) }})
	}
}

// StallAfter sends n bytes of the answer's body, and no more until the client leaves.
func StallAfter(n int) Fault {
	return func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		pass(&altered{ResponseWriter: w, at: n, then: func([]byte) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}})
	}
}

// FlipAt inverts a bit of byte n of the answer's body.
func FlipAt(n int) Fault {
	return func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		pass(&altered{ResponseWriter: w, at: n, then: func(rest []byte) { rest[0] ^= 1 }})
	}
}

// FlipBit inverts one bit of the whole answer, status line and header included:
// the one that pick chooses of so many. The connection ends with the answer.
func FlipBit(pick func(bits int) int) Fault {
	return func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		recorded := httptest.NewRecorder()
		pass(final{recorded})
		answer := recorded.Result()
		answer.Request, answer.Close = r, true
		raw, err := httputil.DumpResponse(answer, r.Method != http.MethodHead)
		if err != nil {
			panic(err)
		}
		bit := pick(8 * len(raw))
		raw[bit/8] ^= 1 << (bit % 8)
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer connection.Close()
		connection.Write(raw)
	}
}

// final takes an answer without what comes before it, such as "100 Continue": Azure's SDK
// asks for that for a minute after the service was busy, or after a bit made it seem so.
type final struct{ *httptest.ResponseRecorder }

func (f final) WriteHeader(status int) {
	if status >= http.StatusOK {
		f.ResponseRecorder.WriteHeader(status)
	}
}

// ShiftDates moves the dates in the header of the answer, as a server does whose
// clock differs from the client's by so much.
func ShiftDates(by time.Duration) Fault {
	return func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		pass(&shifted{ResponseWriter: w, by: by})
	}
}

type shifted struct {
	http.ResponseWriter
	by time.Duration
}

func (s *shifted) WriteHeader(status int) {
	for _, name := range []string{"Date", "Last-Modified"} {
		if at, err := http.ParseTime(s.Header().Get(name)); err == nil {
			s.Header().Set(name, at.Add(s.by).UTC().Format(http.TimeFormat))
		}
	}
	s.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher, for the reverse proxy.
func (s *shifted) Flush() { http.NewResponseController(s.ResponseWriter).Flush() }

// nowhere takes an answer and forgets it.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

// altered does something when the body gets to byte at.
type altered struct {
	http.ResponseWriter
	at   int
	then func(rest []byte)
}

func (a *altered) Write(p []byte) (int, error) {
	if a.at < 0 || len(p) <= a.at {
		a.at -= len(p) // done for good when negative
		if a.at == 0 { // it strikes at the next byte
			defer a.Flush()
		}
		return a.ResponseWriter.Write(p)
	}
	begin, rest := p[:a.at], append([]byte(nil), p[a.at:]...)
	a.at = -1
	if _, err := a.ResponseWriter.Write(begin); err != nil {
		return 0, err
	}
	a.Flush()
	a.then(rest)
	n, err := a.ResponseWriter.Write(rest)
	return len(begin) + n, err
}

// Flush implements http.Flusher, for the reverse proxy.
func (a *altered) Flush() { http.NewResponseController(a.ResponseWriter).Flush() }
