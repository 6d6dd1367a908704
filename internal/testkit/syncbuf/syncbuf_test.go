package syncbuf

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestBuffer(t *testing.T) {
	b := Buffer{Most: 10}
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() { fmt.Fprint(&b, i) })
	}
	writers.Wait()
	if got := b.Take(); len(got) != 4 || b.String() != "" {
		t.Errorf("took %q and left %q", got, &b)
	}
	for _, text := range []string{"0123456789", "a", strings.Repeat("b", 100), "c"} {
		before := b.String()
		b.Write([]byte(text))
		if got := b.String(); len(got) > b.Most || len(got) < min(b.Most/2, len(before)+len(text)) || !strings.HasSuffix(before+text, got) {
			t.Errorf("after %q it holds %q", before+text, got)
		}
	}
	if b.Size() != 4+10+1+100+1 {
		t.Errorf("%d bytes were written", b.Size())
	}
}
