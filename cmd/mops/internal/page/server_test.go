package page

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

func testServer(t testing.TB) (*server, *blob.Store) {
	store := blob.New("mem://"+t.Name(), memblob.New())
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(ctx, store, programs.Prices{By: map[string]programs.Price{"k8s": {CPU: .05}}}, time.Now, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { cancel(); s.behind.group.Wait() })
	return s, store
}

// get asks as a browser does.
func get(s *server, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:6677"+path, nil)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	return w
}

func put(t testing.TB, store *blob.Store, key, content string) {
	t.Helper()
	if _, err := store.PutBytes(t.Context(), key, []byte(content), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// textOf is the body of a page without style and script.
func textOf(w *httptest.ResponseRecorder) string {
	_, body, found := strings.Cut(w.Body.String(), "<body")
	if !found {
		body = w.Body.String()
	}
	body, _, _ = strings.Cut(body, "<script>")
	return body
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestWhoIsAnswered(t *testing.T) {
	s, _ := testServer(t)
	for name, c := range map[string]struct {
		change []func(*http.Request)
		want   int
	}{
		"this machine":           {nil, 200},
		"by name":                {[]func(*http.Request){host("localhost:6677")}, 200},
		"through another port":   {[]func(*http.Request){host("LOCALHOST:9000")}, 200},
		"without a port":         {[]func(*http.Request){host("localhost")}, 200},
		"version 6":              {[]func(*http.Request){host("[::1]:6677")}, 200},
		"a name that was turned": {[]func(*http.Request){host("evil.example:6677")}, 421},
		"a name that looks like": {[]func(*http.Request){host("localhost.evil.example")}, 421},
		"a name of digits":       {[]func(*http.Request){host("127.0.0.1.nip.example:6677")}, 421},
		"another address":        {[]func(*http.Request){host("10.0.0.7:6677")}, 421},
		"no name":                {[]func(*http.Request){host("")}, 421},
		"a link elsewhere":       {[]func(*http.Request){header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate")}, 200},
		"a script elsewhere":     {[]func(*http.Request){header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "no-cors")}, 403},
		"its own script":         {[]func(*http.Request){header("Sec-Fetch-Site", "same-origin"), header("Sec-Fetch-Mode", "cors")}, 200},
		"a form":                 {[]func(*http.Request){func(r *http.Request) { r.Method = http.MethodPost }}, 405},
		"a removal":              {[]func(*http.Request){func(r *http.Request) { r.Method = http.MethodDelete }}, 405},
	} {
		w := get(s, "/", c.change...)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'sha256-") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %s", name, policy)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where no look at the store takes time, a page waits for it
		s, store := testServer(t)
		for path, want := range map[string]string{
			"/run/2611231412-SkirtBus":                         "There is nothing here",
			"/call/mops1/daily/train@2/amber":                  "is not the address of a call",
			"/call/" + memoOf(1):                               "There is nothing here",
			"/call/s3:/other/" + memoOf(1):                     "is not the address of a call",
			"/function/mops1/daily/none@1":                     "has no calls",
			"/log/" + memoOf(1) + "?run=x":                     "has no log",
			"/log/" + memoOf(1):                                "does not say of which run",
			"/log/" + memoOf(1) + "?run=" + "..%2F..%2Fsecret": "does not say of which run",
			"/elsewhere":                                       "404",
		} {
			w := get(s, path)
			if w.Code != http.StatusNotFound || !strings.Contains(textOf(w), want) && want != "404" {
				t.Errorf("%s: %d\n%s", path, w.Code, textOf(w))
			}
		}
		time.Sleep(time.Minute) // what was seen is old by then
		put(t, store, programs.Prefix+"2611231412-SkirtBus/head.json", "{")
		w := get(s, "/run/2611231412-SkirtBus")
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "head.json is damaged") {
			t.Errorf("a damaged head: %d\n%s", w.Code, textOf(w))
		}
		if w := get(s, "/"); w.Code != 200 || !strings.Contains(w.Body.String(), "head.json is damaged") {
			t.Errorf("a list with a damaged head: %d\n%s", w.Code, textOf(w))
		}
	})
}

// A record that is damaged or another's is shown as that, as far as it can be read.
func TestDamagedRecords(t *testing.T) {
	s, store := testServer(t)
	sealed, err := record.Seal(record.KindResult, record.ResultHeader{}, []byte("\x63out"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, memoOf(1)+"/result", string(sealed)) // names no key
	put(t, store, memoOf(1)+"/invocation", "nonsense")
	put(t, store, memoOf(1)+"/error", "")
	put(t, store, memoOf(1)+"/lease", "x")
	put(t, store, memoOf(1)+"/runs/2611231412-SkirtBus.json", "{")
	put(t, store, memoOf(1)+"/runs/2611231412-SkirtBus.usage", "{")
	w := get(s, "/call/"+memoOf(1))
	for _, want := range []string{"copied or renamed", "damaged", "it is empty", "Lease: "} {
		if !strings.Contains(textOf(w), want) {
			t.Errorf("%q is missing in %d\n%s", want, w.Code, textOf(w))
		}
	}
}

// Whatever stands in records comes out as text.
func TestHostileRecords(t *testing.T) { synctest.Test(t, testHostileRecords) }

func testHostileRecords(t *testing.T) {
	const hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`\x00\x1b[31m\u202e"
	s, store := testServer(t)
	w := programs.Writer{Store: store, ID: "2611231412-SkirtBus"}
	head := programs.Head{
		Program: hostile, Host: hostile, User: hostile, Root: hostile, Pipeline: hostile, Start: time.Now(),
		Options: map[string]string{hostile: hostile}, Fields: map[string]any{hostile: []string{hostile}}, Build: record.Program{Path: hostile, Version: hostile, Revision: hostile, Go: hostile},
	}
	call := programs.Call{Function: hostile, Memo: hostile, Caller: hostile, Outcome: hostile, Error: hostile, Executor: hostile, Worker: hostile, Run: hostile}
	failed := call
	failed.Outcome = "failed"
	call.Attempts = []programs.Attempt{{Reason: hostile, Error: hostile, Worker: hostile}}
	state := programs.State{
		Functions: []programs.Function{{Name: hostile, Totals: programs.Totals{Calls: 2, Failed: 1}}},
		Open:      []programs.Open{{Function: hostile, Memo: hostile, Stage: hostile, Reason: hostile, Worker: hostile}},
	}
	lines, err := programs.Encode(nil, call)
	if err == nil {
		lines, err = programs.Encode(lines, failed)
	}
	if err := errors.Join(err, w.Begin(t.Context(), head), w.Append(t.Context(), state, lines)); err != nil {
		t.Fatal(err)
	}
	f := record.FuncError{Message: hostile, Types: []string{hostile}, Stack: hostile, Panic: true}
	body, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	key := memokey.Key{1, 1, 2, 3}
	run := record.Run{Error: hostile, User: hostile, Host: hostile, Executor: hostile, Fields: map[string]any{hostile: hostile}, Caller: hostile, ProgramRun: hostile, Made: []string{hostile}}
	sealed, err := record.Seal(record.KindError, record.ErrorHeader{RunHeader: record.RunHeader{Head: record.Head{MemoKey: key.String(), RunID: "2611231412-SkirtBus"}, Run: run}}, body)
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, memoOf(1)+"/error", string(sealed))
	put(t, store, memoOf(1)+"/runs/2611231412-SkirtBus.log/000001", hostile)
	for _, path := range []string{"/", "/run/2611231412-SkirtBus", "/call/" + memoOf(1), "/call/" + memoOf(1) + "?full", "/function/mops1/daily/train@2"} {
		w := get(s, path)
		page := w.Body.String()
		if w.Code != 200 || strings.Contains(page, "<script>alert") || strings.Contains(page, "<img") || strings.ContainsAny(page, "\x00\x1b\u202e") {
			at := strings.IndexAny(page, "\x00\x1b\u202e")
			t.Errorf("%s: %d, not escaped: %q", path, w.Code, page[max(at-200, 0):max(at, 0)])
		}
	}
	w2 := get(s, "/log/"+memoOf(1)+"?run=2611231412-SkirtBus")
	if kind := w2.Header().Get("Content-Type"); kind != "text/plain; charset=utf-8" || strings.ContainsAny(w2.Body.String(), "\x00\x1b\u202e") {
		t.Errorf("the log is %s: %q", kind, w2.Body)
	}
}

// All of a long value is much, and never more than a browser can show.
func TestLongValue(t *testing.T) {
	s, store := testServer(t)
	body, err := cbor.Marshal(map[string]string{"Text": strings.Repeat("long ", 2<<20)})
	if err != nil {
		t.Fatal(err)
	}
	key := memokey.Key{1, 1, 2, 3}
	sealed, err := record.Seal(record.KindInvocation, record.InvocationHeader{Head: record.Head{MemoKey: key.String()}}, body)
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, memoOf(1)+"/invocation", string(sealed))
	short, long := textOf(get(s, "/call/"+memoOf(1))), textOf(get(s, "/call/"+memoOf(1)+"?full"))
	if len(short) > 8<<10 || !strings.Contains(short, "(10,485,760 bytes)") {
		t.Errorf("%d bytes, %.5000s", len(short), short)
	}
	if len(long) < fullValue || len(long) > 2*fullValue || !strings.Contains(long, "mops inspect --full shows all of it") {
		t.Errorf("%d bytes", len(long))
	}
}

// fill makes a root of so many calls, with three records each.
func fill(t testing.TB, store *blob.Store, calls int) {
	for i := range calls {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(i))
		path := memokey.Path("daily", "train", "2", memokey.Key(sha256.Sum256(n[:])))
		for _, name := range []string{"invocation", "lease", "result"} {
			put(t, store, path+"/"+name, "x")
		}
	}
}

// After the first look, the first page of a root with 100,000 calls comes within a
// second. The first one does not wait until they are counted.
func TestFirstPageOfManyCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: a root of 100,000 calls")
	}
	s, store := testServer(t)
	fill(t, store, 100_000)
	// The best of some looks: others may be at work on this machine.
	best := func(most time.Duration, look func() *server) (last *httptest.ResponseRecorder) {
		t.Helper()
		best := time.Hour
		for tries := 0; tries < 20 && best > most; tries++ {
			s := look()
			began := time.Now()
			last = get(s, "/")
			best = min(best, time.Since(began))
			s.behind.group.Wait()
		}
		if t.Logf("it takes %v", best); best > most || last.Code != 200 {
			t.Errorf("%d after %v, at most %v", last.Code, best, most)
		}
		return last
	}
	best(3*time.Second, func() *server {
		s = newServer(s.behind.ctx, store, programs.Prices{}, time.Now, slog.New(slog.DiscardHandler))
		return s
	})
	if w := best(time.Second, func() *server { return s }); !strings.Contains(w.Body.String(), "100,000") {
		t.Error(textOf(w))
	}
}

// slowStore takes its time for each answer.
type slowStore struct {
	driver.Store
	list, get time.Duration
}

func (s slowStore) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	pause(ctx, s.list)
	return s.Store.List(ctx, prefix, startAt)
}

func (s slowStore) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	pause(ctx, s.get)
	return s.Store.Get(ctx, key, part)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Whoever looks at the root in a slow store is told what is not known yet, and sees it
// in time. Then the page says what it knows, rather than wait for the store.
func TestSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memblob.New()
		fast := blob.New("mem://slow", inner)
		fill(t, fast, 10)
		w := programs.Writer{Store: fast, ID: words.RunID(time.Now(), 4711)}
		if err := errors.Join(w.Begin(t.Context(), programs.Head{Program: "/bin/slow", User: "ada", Start: time.Now()}), w.End(t.Context(), programs.End{End: time.Now()})); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		s := newServer(ctx, blob.New("mem://slow", slowStore{inner, 20 * time.Second, 3 * time.Second}), programs.Prices{}, time.Now, slog.New(slog.DiscardHandler))
		defer s.behind.group.Wait()
		defer cancel()
		look := func(wants ...string) {
			t.Helper()
			began := time.Now()
			page := textOf(get(s, "/"))
			if took := time.Since(began); took > 2*firstLook {
				t.Errorf("the page took %v", took)
			}
			for _, want := range wants {
				if !strings.Contains(page, want) {
					t.Errorf("%q is missing in\n%s", want, page)
				}
			}
		}
		look("The runs are being listed", "The calls are being counted: 0 so far", ">live<")
		time.Sleep(21 * time.Second)
		look("is being read", "daily", ">live<")
		s.behind.group.Wait()
		look("finished", "ada", "slow")
		time.Sleep(time.Hour) // the next list is begun, and this page has the one before
		look("finished", "ada", "slow", "daily")
	})
}

func BenchmarkFirstPageOfManyCalls(b *testing.B) {
	s, store := testServer(b)
	fill(b, store, 100_000)
	get(s, "/")
	s.behind.group.Wait()
	for b.Loop() {
		get(s, "/")
	}
}

// A file appears whole or not at all.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.html")
	_, err := writeFile(path, func(w io.Writer) error {
		w.Write([]byte("half"))
		return errors.New("no more")
	})
	if left, _ := os.ReadDir(dir); err == nil || len(left) != 0 {
		t.Errorf("%v left %v", err, left)
	}
}
