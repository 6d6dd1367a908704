package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
)

// probe is one run of a check. Most of its methods end the check at the first
// thing that is wrong, as the Fatal of a test does.
type probe struct {
	ctx    context.Context // of the run
	store  *blob.Store
	prefix string
}

// running makes a check's Run of a function that uses a probe.
func running(check func(p *probe)) func(ctx context.Context, s *blob.Store, prefix string) error {
	return func(ctx context.Context, s *blob.Store, prefix string) error {
		p := &probe{ctx, s, prefix}
		return p.try(func() { check(p) })
	}
}

// ended is the panic that ends a check; try recovers it.
type ended struct{ err error }

// try returns the error with which do ended the check.
func (p *probe) try(do func()) (err error) {
	defer func() {
		switch end := recover().(type) {
		case nil:
		case ended:
			err = end.err
		default:
			panic(end)
		}
	}()
	do()
	return nil
}

func (p *probe) must(err error) {
	if err != nil {
		panic(ended{err})
	}
}

func (p *probe) failf(format string, args ...any) { p.must(fmt.Errorf(format, args...)) }

func (p *probe) fails(what string, err error, kind blob.Kind) { p.must(expectKind(what, err, kind)) }

func expectKind(what string, err error, kind blob.Kind) error {
	if err == nil {
		return fmt.Errorf("%s succeeded, and should fail as %q", what, kind)
	}
	if !blob.Is(err, kind) {
		return fmt.Errorf("%s failed as %q, and should as %q: %w", what, blob.KindOf(err), kind, err)
	}
	return nil
}

// content fails unless the blob holds data, whichever way it is read.
func (p *probe) content(key, data string) {
	got, info, err := p.store.ReadAll(p.ctx, key, nil)
	p.must(err)
	stat := p.stat(key)
	streamed, fromGet, err := read(p.ctx, p.store, key, blob.Range{})
	p.must(err)
	switch {
	case string(got) != data:
		p.failf("%s holds %s by ReadAll, and should hold %s", key, short(string(got)), short(data))
	case streamed != data:
		p.failf("%s holds %s by Get, and should hold %s", key, short(streamed), short(data))
	}
	p.same("ReadAll", info, "Stat", stat)
	p.same("Get", fromGet, "Stat", stat)
}

// same fails if two descriptions of one state of a blob differ.
func (p *probe) same(how1 string, a blob.Info, how2 string, b blob.Info) {
	switch {
	case a.Key != b.Key, a.Size != b.Size, a.Version != b.Version, !a.ModTime.Equal(b.ModTime):
		p.failf("%s and %s describe one blob differently: %+v and %+v", how1, how2, a, b)
	case a.Version == "":
		p.failf("%s gives %s no version", how1, a.Key)
	case a.ModTime.IsZero():
		p.failf("%s gives %s no time", how1, a.Key)
	}
}

// absent fails unless the blob is absent for every way to ask.
func (p *probe) absent(key string) {
	_, _, errRead := p.store.ReadAll(p.ctx, key, nil)
	_, _, errGet := read(p.ctx, p.store, key, blob.Range{})
	_, errStat := p.store.Stat(p.ctx, key)
	errs := []error{
		expectKind("reading "+key, errRead, blob.NotFound),
		expectKind("getting "+key, errGet, blob.NotFound),
		expectKind("asking for "+key, errStat, blob.NotFound),
	}
	if p.store.IsLocal() {
		_, _, err := p.store.LocalPath(p.ctx, key)
		errs = append(errs, expectKind("the path of "+key, err, blob.NotFound))
	}
	listed, err := list(p.ctx, p.store, key, "")
	if err == nil && len(listed) > 0 && listed[0] == key {
		err = fmt.Errorf("%s is listed, and is not there", key)
	}
	p.must(errors.Join(append(errs, err)...))
}

func (p *probe) put(key, data string, opts blob.PutOptions) blob.Info {
	info, err := put(p.ctx, p.store, key, data, opts)
	p.must(err)
	return info
}

func (p *probe) stat(key string) blob.Info {
	info, err := p.store.Stat(p.ctx, key)
	p.must(err)
	return info
}

func (p *probe) delete(key string) { p.must(p.store.Delete(p.ctx, key)) }

func read(ctx context.Context, s *blob.Store, key string, part blob.Range) (string, blob.Info, error) {
	body, info, err := s.Get(ctx, key, part)
	if err != nil {
		return "", info, err
	}
	var data bytes.Buffer
	_, err = data.ReadFrom(body)
	return data.String(), info, errors.Join(err, body.Close())
}

func put(ctx context.Context, s *blob.Store, key, data string, opts blob.PutOptions) (blob.Info, error) {
	return s.PutBytes(ctx, key, []byte(data), opts)
}

// list returns the keys as they are listed.
func list(ctx context.Context, s *blob.Store, prefix, startAt string) (keys []string, err error) {
	for info, err := range s.List(ctx, prefix, startAt) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

func short(data string) string {
	if len(data) > 40 {
		return fmt.Sprintf("%q… (%d bytes)", data[:40], len(data))
	}
	return fmt.Sprintf("%q", data)
}

// unlike is n bytes without much repetition.
func unlike(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%x,", i*i)
	}
	return b.String()[:n]
}
