package cloud

import (
	"bytes"
	"crypto/md5"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/TrilliantHealth/mops-go/blob"
)

func TestBody(t *testing.T) {
	const content = "some content"
	sum := md5.Sum([]byte(content))
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		body io.Reader
		want []byte
		kind blob.Kind // Other: it is read whole
	}{
		"whole":           {strings.NewReader(content), nil, blob.Other},
		"whole, verified": {iotest.OneByteReader(strings.NewReader(content)), sum[:], blob.Other},
		"end with data":   {iotest.DataErrReader(strings.NewReader(content)), sum[:], blob.Other},
		"short":           {strings.NewReader(content[1:]), nil, blob.Unavailable},
		"short, verified": {strings.NewReader(content[:3]), sum[:], blob.Unavailable},
		"flipped":         {strings.NewReader("somE content"), sum[:], blob.Corrupt},
		"broken":          {io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken)), nil, blob.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			body := &Body{ReadCloser: io.NopCloser(c.body), Transport: &Transport{}, Length: int64(len(content)), Want: c.want}
			if c.want != nil {
				body.Sum = md5.New()
			}
			got, err := io.ReadAll(body)
			if c.kind == blob.Other && (string(got) != content || err != nil) || blob.KindOf(err) != c.kind {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestSlurp(t *testing.T) {
	for _, content := range []string{"", "x", strings.Repeat("content ", 1000)} {
		for _, buf := range [][]byte{nil, []byte("before"), make([]byte, 3, 10000)} {
			for _, size := range []int{len(content), 0, len(content) + 10} { // it is a hint
				got, err := slurp(buf, iotest.HalfReader(strings.NewReader(content)), int64(size), 1<<20)
				if want := string(buf) + content; string(got) != want || err != nil {
					t.Errorf("%d bytes behind %d: %d, %v", len(content), len(buf), len(got), err)
				}
			}
		}
	}
	broken := errors.New("broken")
	if got, err := slurp([]byte("before"), io.MultiReader(bytes.NewReader(make([]byte, 100)), iotest.ErrReader(broken)), 200, 1<<20); err != broken || string(got) != "before" {
		t.Errorf("a broken body left %q, %v", got, err)
	}
	for told, size := range map[int64]int{1001: 1001, 10: 1001} { // also where the service told another size
		body := strings.NewReader(strings.Repeat("x", size))
		if got, err := slurp([]byte("before"), body, told, 1000); !blob.Is(err, blob.TooLarge) || string(got) != "before" {
			t.Errorf("%d bytes, told to be %d, gave %d bytes and %v", size, told, len(got), err)
		}
	}
	if got, err := slurp(nil, strings.NewReader(strings.Repeat("x", 1000)), 1000, 1000); len(got) != 1000 || err != nil {
		t.Errorf("a blob at the limit gave %d bytes and %v", len(got), err)
	}
}
