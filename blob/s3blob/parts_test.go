package s3blob

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// big is a part and a little.
var big = pattern(part + 7)

// leftovers are the uploads whose parts are kept, and paid for.
func leftovers(t *testing.T, s *blob.Store) int {
	t.Helper()
	d := s.Driver().(*store)
	out, err := d.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &d.address.Host})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Uploads)
}

func putBig(ctx context.Context, s *blob.Store, opts blob.PutOptions) (blob.Info, error) {
	return s.Put(ctx, "big", strings.NewReader(big), int64(len(big)), opts)
}

func TestParts(t *testing.T) {
	s, proxy := behind(t)
	big := pattern(3*part + 7)
	for _, size := range []int64{int64(len(big)), -1} {
		proxy.Reset()
		began := time.Now()
		info, err := s.Put(t.Context(), "big", io.MultiReader(strings.NewReader(big)), size, blob.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := proxy.Requests(); got != 6 { // begin, four parts, complete
			t.Errorf("%d requests were sent", got)
		}
		took := time.Since(began)
		stat, err := s.Stat(t.Context(), "big") // S3 dates it by its beginning, the emulator by its end
		if err != nil || stat.Version != info.Version || stat.Size != info.Size || stat.ModTime.Sub(info.ModTime).Abs() > time.Second+took {
			t.Errorf("put returned %+v, and stat %+v (%v)", info, stat, err)
		}
		expect(t, s, "big", big)
		body, _, err := s.Get(t.Context(), "big", blob.Range{Offset: part - 5, Length: 10})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != big[part-5:part+5] {
			t.Errorf("around the end of a part there is %q (%v)", got, err)
		}
		body.Close()
	}
}

func TestPartsWithConditions(t *testing.T) {
	s, _ := behind(t)
	first, err := putBig(t.Context(), s, blob.PutOptions{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := putBig(t.Context(), s, blob.PutOptions{IfAbsent: true}); !blob.Is(err, blob.Exists) {
		t.Errorf("a second put if absent: %v", err)
	}
	mustPut(t, s, "big", "other")
	if _, err := putBig(t.Context(), s, blob.PutOptions{IfVersion: first.Version}); !blob.Is(err, blob.Mismatch) {
		t.Errorf("a swap of an old version: %v", err)
	}
	expect(t, s, "big", "other")
	if err := s.Delete(t.Context(), "big"); err != nil {
		t.Fatal(err)
	}
	if _, err := putBig(t.Context(), s, blob.PutOptions{IfVersion: first.Version}); !blob.Is(err, blob.Mismatch) {
		t.Errorf("a swap of what is gone: %v", err)
	}
	if n := leftovers(t, s); n != 0 {
		t.Errorf("the parts of %d uploads are left", n)
	}
}

// readerFunc is a body that does something when it is read.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Another puts the blob while the parts of ours are under way.
func TestPartsLoseTheRace(t *testing.T) {
	s, _ := behind(t)
	rest := io.MultiReader(strings.NewReader(big[:len(big)-1]), readerFunc(func(p []byte) (int, error) {
		if _, err := s.PutBytes(t.Context(), "big", []byte("winner"), blob.PutOptions{IfAbsent: true}); err != nil {
			t.Error(err)
		}
		p[0] = big[len(big)-1]
		return 1, io.EOF
	}))
	if _, err := s.Put(t.Context(), "big", rest, int64(len(big)), blob.PutOptions{IfAbsent: true}); !blob.Is(err, blob.Exists) {
		t.Errorf("the loser is told %v", err)
	}
	expect(t, s, "big", "winner")
	if n := leftovers(t, s); n != 0 {
		t.Errorf("the parts of %d uploads are left", n)
	}
}

func TestPartsAreForgotten(t *testing.T) {
	broken := errors.New("broken body")
	for name, c := range map[string]struct {
		end  error // of the body
		want error
	}{
		"Broken":    {broken, broken},
		"Cancelled": {io.EOF, context.Canceled},
	} {
		s, _ := behind(t)
		ctx, cancel := context.WithCancel(t.Context())
		end := readerFunc(func([]byte) (int, error) {
			if c.end == io.EOF {
				cancel()
			}
			return 0, c.end
		})
		_, err := s.Put(ctx, "big", io.MultiReader(strings.NewReader(big), end), -1, blob.PutOptions{})
		cancel()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if n := leftovers(t, s); n != 0 {
			t.Errorf("%s: the parts of %d uploads are left", name, n)
		}
		if _, err := s.Stat(t.Context(), "big"); !blob.Is(err, blob.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isComplete(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

func isPart(r *http.Request) bool { return r.URL.Query().Has("partNumber") }

// The answer to a Complete that was carried out is lost; being asked again, the
// service answers one of several ways.
func TestLostComplete(t *testing.T) {
	for name, second := range map[string]faultproxy.Fault{
		"NoSuchUpload":       emulator.S3Error(404, "NoSuchUpload", "The specified upload does not exist."),
		"PreconditionFailed": emulator.S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
	} {
		for _, opts := range []blob.PutOptions{{}, {IfAbsent: true}} {
			s, proxy := behind(t)
			proxy.Strike(1, faultproxy.LoseAnswer(), isComplete)
			proxy.Strike(1, second, isComplete)
			info, err := putBig(t.Context(), s, opts)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if stat, err := s.Stat(t.Context(), "big"); err != nil || stat.Version != info.Version {
				t.Errorf("%s: the put returned %+v, and there is %+v (%v)", name, info, stat, err)
			}
		}
	}
}

// Complete does not take the put of another client for ours.
func TestLostCompleteOfAnother(t *testing.T) {
	s, proxy := behind(t)
	mustPut(t, s, "big", "winner")
	proxy.Strike(1, faultproxy.Drop(), isComplete)
	if _, err := putBig(t.Context(), s, blob.PutOptions{IfAbsent: true}); !blob.Is(err, blob.Exists) {
		t.Errorf("the loser is told %v", err)
	}
	expect(t, s, "big", "winner")
}

// S3 may answer 200 first and find afterwards that it failed (Amazon S3 API
// Reference, CompleteMultipartUpload); and after a conflict it wants the parts
// again (its parameter If-None-Match).
func TestCompleteFails(t *testing.T) {
	xml := http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {"1"}}
	s, proxy := behind(t)
	proxy.Strike(1, faultproxy.Answer(200, xml, "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"), isComplete)
	if _, err := putBig(t.Context(), s, blob.PutOptions{}); err != nil {
		t.Error(err)
	}
	proxy.Strike(-1, emulator.S3Error(409, "ConditionalRequestConflict", "A conflicting operation occurred."), isComplete)
	if _, err := putBig(t.Context(), s, blob.PutOptions{IfAbsent: true}); !blob.Is(err, blob.Unavailable) {
		t.Errorf("after a conflict: %v", err)
	}
	if n := leftovers(t, s); n != 0 {
		t.Errorf("the parts of %d uploads are left", n)
	}
	proxy.Reset()
	proxy.Strike(1, emulator.S3Error(409, "ConditionalRequestConflict", "A conflicting operation occurred."), isComplete)
	if err := s.Delete(t.Context(), "big"); err != nil {
		t.Fatal(err)
	}
	if _, err := putBig(t.Context(), blob.Retry(s, quick), blob.PutOptions{IfAbsent: true}); err != nil {
		t.Errorf("with the parts uploaded again: %v", err)
	}
}

func TestPartsAreTriedAgain(t *testing.T) {
	s, proxy := behind(t)
	proxy.Strike(1, emulator.S3Error(503, "SlowDown", "Please reduce your request rate."), isPart)
	proxy.Strike(1, faultproxy.LoseAnswer(), isPart)
	proxy.Strike(1, flipSent(1000), isPart)
	if _, err := putBig(t.Context(), s, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "big", big)
}

// The memory of uploads and downloads is bounded, whatever the size.
func TestMemory(t *testing.T) {
	const size, limit = 256 << 20, 64 << 20
	s, _ := newSink(t, size)
	s.Driver().(*store).heeds.parts.trusted.Store(true)
	heap := func() uint64 {
		runtime.GC() // garbage does not count
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	watch := func(body io.Reader) io.Reader {
		read := 0
		return readerFunc(func(p []byte) (int, error) {
			n, err := body.Read(p)
			if read += n; read > 32<<20 {
				read, most = 0, max(most, heap())
			}
			return n, err
		})
	}
	if _, err := s.Put(t.Context(), "big", watch(zeros(size)), size, blob.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	up := int64(most) - int64(before)
	body, _, err := s.Get(t.Context(), "big", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	most = 0
	if n, err := io.Copy(io.Discard, watch(body)); err != nil || n != size {
		t.Fatal(n, err)
	}
	down := int64(most) - int64(before)
	t.Logf("the heap grew by up to %.1f MiB on the way up, and %.1f MiB on the way down", float64(up)/(1<<20), float64(down)/(1<<20))
	if up > limit || down > limit {
		t.Errorf("that is too much")
	}
}
