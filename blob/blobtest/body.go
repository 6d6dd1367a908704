package blobtest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
)

var bodyChecks = []Check{
	{"Ranges", "A part of a blob is read as asked for, up to the end of the blob.", running(checkRanges)},
	{"BigBody", "A large body arrives whole, with its length announced or not, from a reader or a file.", running(checkBigBody)},
	{"WrongSize", "A body of another length than announced is an error and writes nothing.", running(checkWrongSize)},
	{"FailingBody", "A body that fails half way is reported with its own error and writes nothing.", running(checkFailingBody)},
	{"CloseEarly", "A body may be closed before its end.", running(checkCloseEarly)},
}

func checkRanges(p *probe) {
	key, data := p.prefix+"/blob", unlike(10_000)
	p.put(key, data, blob.PutOptions{})
	size := int64(len(data))
	for _, part := range []blob.Range{{}, {Offset: 0, Length: 1}, {Offset: 1}, {Offset: 17, Length: 4096}, {Offset: size - 1}, {Offset: size - 1, Length: 5},
		{Offset: 0, Length: size}, {Offset: 0, Length: size + 1}, {Offset: size}, {Offset: size, Length: 1}, {Offset: size + 1}, {Offset: size + 1000, Length: 1000}} {
		want := data[min(part.Offset, size):]
		if part.Length > 0 {
			want = want[:min(part.Length, int64(len(want)))]
		}
		got, info, err := read(p.ctx, p.store, key, part)
		if err != nil {
			p.failf("%+v: %w", part, err)
		}
		if got != want {
			p.failf("%+v read %s rather than %s", part, short(got), short(want))
		}
		if info.Size != size {
			p.failf("%+v says that the blob has %d bytes rather than %d", part, info.Size, size)
		}
	}
	for _, part := range []blob.Range{{Offset: -1}, {Length: -1}} {
		_, _, err := p.store.Get(p.ctx, key, part)
		p.fails(fmt.Sprintf("reading %+v", part), err, blob.Invalid)
	}
}

func checkBigBody(p *probe) {
	data := unlike(9<<20 + 3)
	want := sha256.Sum256([]byte(data))
	file, err := os.CreateTemp("", "blobtest-")
	p.must(err)
	defer os.Remove(file.Name())
	defer file.Close()
	_, err = file.WriteString(data)
	p.must(err)
	_, err = file.Seek(0, io.SeekStart)
	p.must(err)
	size := int64(len(data))
	bodies := []struct {
		name string
		body io.Reader
		size int64
	}{
		{"announced", io.MultiReader(strings.NewReader(data)), size},
		{"unannounced", io.MultiReader(strings.NewReader(data)), -1},
		{"seekable", strings.NewReader(data), size},
		{"file", file, size},
	}
	for _, b := range bodies {
		key := p.prefix + "/" + b.name
		info, err := p.store.Put(p.ctx, key, b.body, b.size, blob.PutOptions{IfAbsent: true})
		p.must(err)
		if info.Size != size {
			p.failf("%s: the put of %d bytes says %d", b.name, size, info.Size)
		}
		body, _, err := p.store.Get(p.ctx, key, blob.Range{})
		p.must(err)
		hash := sha256.New()
		_, err = io.Copy(hash, body)
		p.must(errors.Join(err, body.Close()))
		if [32]byte(hash.Sum(nil)) != want {
			p.failf("%s: other bytes were read than written", b.name)
		}
	}
}

func checkWrongSize(p *probe) {
	p.refusesBody(func(key string, opts blob.PutOptions) {
		const data = "ten bytes."
		for _, size := range []int64{0, 9, 11, 1000} {
			for _, body := range []io.Reader{strings.NewReader(data), io.MultiReader(strings.NewReader(data))} {
				if _, err := p.store.Put(p.ctx, key, body, size, opts); err == nil {
					p.failf("10 bytes announced as %d were accepted", size)
				}
			}
		}
	})
}

func checkFailingBody(p *probe) {
	broken := errors.New("broken body")
	p.refusesBody(func(key string, opts blob.PutOptions) {
		for _, size := range []int64{-1, 10, 5} {
			body := io.MultiReader(strings.NewReader("five."), failing{broken})
			if _, err := p.store.Put(p.ctx, key, body, size, opts); !errors.Is(err, broken) {
				p.failf("a body that fails half way, of size %d, made put return %v", size, err)
			}
		}
	})
}

// refusesBody calls refused to try puts that must fail, on a blob that exists
// and on one that does not.
func (p *probe) refusesBody(refused func(key string, opts blob.PutOptions)) {
	absent, there := p.prefix+"/folder/absent", p.prefix+"/there"
	info := p.put(there, "before", blob.PutOptions{})
	refused(absent, blob.PutOptions{})
	refused(absent, blob.PutOptions{IfAbsent: true})
	refused(there, blob.PutOptions{})
	refused(there, blob.PutOptions{IfVersion: info.Version})
	p.absent(absent)
	p.content(there, "before")
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func checkCloseEarly(p *probe) {
	key := p.prefix + "/blob"
	p.put(key, unlike(1<<20), blob.PutOptions{})
	for range 20 {
		body, _, err := p.store.Get(p.ctx, key, blob.Range{})
		p.must(err)
		_, err = io.ReadFull(body, make([]byte, 10))
		p.must(errors.Join(err, body.Close()))
	}
}
