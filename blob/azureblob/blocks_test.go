package azureblob

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

const large = 3*cloud.PartSize + 7 // in four blocks, the last one short

// isCommit and isBlock match the requests of a put in blocks.
func isCommit(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Query().Get("comp") == "blocklist"
}
func isBlock(r *http.Request) bool { return r.URL.Query().Get("comp") == "block" }

func expectNoise(t *testing.T, s *blob.Store, key string, size int64) {
	t.Helper()
	body, info, err := s.Get(t.Context(), key, blob.Range{})
	if err != nil {
		t.Errorf("%s: %v", key, err)
		return
	}
	defer body.Close()
	if n, err := differs(body, noise(size)); err != nil || info.Size != size {
		t.Errorf("%s, %d bytes: other content from byte %d on, or %v", key, info.Size, n, err)
	}
}

// differs compares two readers.
func differs(a, b io.Reader) (int64, error) {
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); ; {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		switch {
		case n != m || !bytes.Equal(bufA[:n], bufB[:m]):
			return at, errors.Join(errors.New("they differ"), errA, errB)
		case errA == io.EOF || errA == io.ErrUnexpectedEOF:
			return 0, nil
		case errA != nil:
			return at, errA
		}
		at += int64(n)
	}
}

func TestBlocks(t *testing.T) {
	s := openRoot(t, emulator.Azurite(t).Root(t))
	for _, announced := range []int64{large, -1} {
		info, err := s.Put(t.Context(), "blob", noise(large), announced, blob.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if stat, err := s.Stat(t.Context(), "blob"); err != nil || stat.Version != info.Version || stat.Size != large || !stat.ModTime.Equal(info.ModTime) {
			t.Errorf("%+v is %+v, %v", info, stat, err)
		}
		expectNoise(t, s, "blob", large)
	}
	if n := uncommitted(t, s, "blob"); n != 0 {
		t.Errorf("%d blocks are left", n)
	}
}

func uncommitted(t *testing.T, s *blob.Store, key string) int {
	t.Helper()
	client, err := driverOf(s).blob(key)
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.GetBlockList(t.Context(), blockblob.BlockListTypeUncommitted, nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(list.UncommittedBlocks)
}

// Of several at one time one writes, and the blob is all its own.
func TestRaceInBlocks(t *testing.T) {
	s := openRoot(t, emulator.Azurite(t).Root(t))
	contents := make([][]byte, 3)
	errs := make([]error, len(contents))
	var all sync.WaitGroup
	for i := range contents {
		contents[i] = bytes.Repeat([]byte(fmt.Sprint("writer ", i, ";")), 2<<20) // 18 MiB
		all.Go(func() {
			_, errs[i] = s.Put(t.Context(), "blob", bytes.NewReader(contents[i]), int64(len(contents[i])), blob.PutOptions{IfAbsent: true})
		})
	}
	all.Wait()
	data, _, err := s.ReadAll(t.Context(), "blob", nil)
	if err != nil {
		t.Fatal(err)
	}
	winners := 0
	for i, err := range errs {
		switch {
		case err == nil:
			winners++
			if !bytes.Equal(data, contents[i]) {
				t.Errorf("writer %d won, and the blob is not its own", i)
			}
		case !blob.Is(err, blob.Exists):
			t.Error(err)
		}
	}
	if winners != 1 {
		t.Errorf("%d have won", winners)
	}
	if _, err := s.Put(t.Context(), "blob", noise(large), large, blob.PutOptions{IfVersion: "0x1"}); !blob.Is(err, blob.Mismatch) {
		t.Errorf("a swap of another version: %v", err)
	}
	if _, err := s.Put(t.Context(), "absent", noise(large), large, blob.PutOptions{IfVersion: "0x1"}); !blob.Is(err, blob.Mismatch) {
		t.Errorf("a swap of none: %v", err)
	}
}

// The answer to the last request is lost: the blob is there, and the next try is
// told that there is one, or another one. It shows by its blocks that it is ours,
// also where the body cannot be read again.
func TestLostAnswerInBlocks(t *testing.T) {
	uri, proxy := emulator.Azurite(t).Behind(t)
	s := openRoot(t, uri)
	first, err := s.PutBytes(t.Context(), "swapped", []byte("before"), blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for key, opts := range map[string]blob.PutOptions{"absent": {IfAbsent: true}, "swapped": {IfVersion: first.Version}, "plain": {}} {
		proxy.Reset()
		proxy.Strike(1, faultproxy.LoseAnswer(), isCommit)
		info, err := s.Put(t.Context(), key, noise(large), -1, opts)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if stat, err := s.Stat(t.Context(), key); err != nil || stat != info {
			t.Errorf("%s: %+v is %+v, %v", key, info, stat, err)
		}
		expectNoise(t, s, key, large)
	}
}

// Somebody else's put took our blocks away, as Microsoft says that it does
// (https://learn.microsoft.com/rest/api/storageservices/put-block-list#remarks);
// Azurite looks at the conditions first.
func TestOvertakenInBlocks(t *testing.T) {
	uri, proxy := emulator.Azurite(t).Behind(t)
	s := openRoot(t, uri)
	there, err := s.PutBytes(t.Context(), "there", []byte("content"), blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	overtaken := emulator.AzureError(400, "InvalidBlockList", "The specified block list is invalid.")
	for _, c := range []struct {
		key  string
		opts blob.PutOptions
		kind blob.Kind
	}{
		{"there", blob.PutOptions{IfAbsent: true}, blob.Exists},
		{"there", blob.PutOptions{IfVersion: "0x1"}, blob.Mismatch},
		{"absent", blob.PutOptions{IfVersion: there.Version}, blob.Mismatch},
		{"there", blob.PutOptions{IfVersion: there.Version}, blob.Unavailable}, // and then it was put back
		{"absent", blob.PutOptions{IfAbsent: true}, blob.Unavailable},
		{"there", blob.PutOptions{}, blob.Unavailable},
	} {
		proxy.Reset()
		proxy.Strike(-1, overtaken, isCommit)
		if _, err := s.Put(t.Context(), c.key, noise(large), large, c.opts); !blob.Is(err, c.kind) || !strings.Contains(err.Error(), "InvalidBlockList") {
			t.Errorf("%s, %+v: %v", c.key, c.opts, err)
		}
		if n := proxy.Requests(); n > 6 {
			t.Errorf("%s, %+v: it took %d requests", c.key, c.opts, n)
		}
	}
	// The whole put again has better luck, where the body can be read again.
	proxy.Reset()
	proxy.Strike(1, overtaken, isCommit)
	data, _ := io.ReadAll(noise(large))
	if _, err := blob.Retry(s, quick).Put(t.Context(), "absent", bytes.NewReader(data), large, blob.PutOptions{IfAbsent: true}); err != nil {
		t.Error(err)
	}
}

// Blocks that fail are sent again, alone.
func TestBlocksAreSentAgain(t *testing.T) {
	server := emulator.Azurite(t)
	uri, proxy := server.Behind(t)
	s := openRoot(t, uri)
	for name, fault := range map[string]faultproxy.Fault{
		"dropped": faultproxy.Drop(), "answer lost": faultproxy.LoseAnswer(), "busy": server.Throttled, "failed": server.Failed, "flipped": flipSent,
	} {
		proxy.Reset()
		proxy.Strike(2, fault, isBlock)
		if _, err := s.Put(t.Context(), name, noise(large), large, blob.PutOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := proxy.Requests(); n != 4+2+1 {
			t.Errorf("%s: it took %d requests", name, n)
		}
		expectNoise(t, s, name, large)
	}
	proxy.Reset()
	proxy.Strike(-1, emulator.AzureError(403, "AuthorizationPermissionMismatch", "This request is not authorized."), isBlock)
	if _, err := s.Put(t.Context(), "denied", noise(large), large, blob.PutOptions{}); !blob.Is(err, blob.Denied) {
		t.Errorf("denied: %v", err)
	}
	if _, err := s.Stat(t.Context(), "denied"); !blob.Is(err, blob.NotFound) {
		t.Errorf("denied, and there: %v", err)
	}
}

// flipSent inverts a bit of the request.
func flipSent(_ http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
	data, err := io.ReadAll(r.Body)
	if err != nil || len(data) == 0 {
		panic(http.ErrAbortHandler)
	}
	data[len(data)/2] ^= 1
	r.Body = io.NopCloser(bytes.NewReader(data))
	pass(nil)
}

// A large blob takes no more memory than some blocks do. The emulator is another
// process.
func TestMemory(t *testing.T) {
	const size, most = 256 << 20, 64 << 20
	s := openRoot(t, emulator.Azurite(t).Root(t))
	var peak, before uint64
	watch := func() {
		runtime.GC() // only live memory counts
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	begin := func() {
		runtime.GC() // pools need two
		peak = 0
		watch()
		before = peak
	}
	begin()
	if _, err := s.Put(t.Context(), "blob", &watched{noise(size), watch, 0}, size, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	up := peak - before
	begin()
	body, _, err := s.Get(t.Context(), "blob", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if n, err := io.Copy(io.Discard, &watched{body, watch, 0}); n != size || err != nil {
		t.Fatal(n, err)
	}
	down := peak - before
	t.Logf("256 MiB took %d MiB up and %d MiB down", up>>20, down>>20)
	if up > most || down > most {
		t.Errorf("256 MiB took %d bytes up and %d down", up, down)
	}
}

// watched calls a function for each 8 MiB that are read.
type watched struct {
	io.Reader
	watch func()
	n     int
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if w.n += n; w.n > 8<<20 {
		w.n = 0
		w.watch()
	}
	return n, err
}
