package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// service takes uploads, and remembers what became of them.
type service struct {
	refuse func(part, try int) error // part 0 is the blob whole, -1 its completion

	mu             sync.Mutex
	parts          map[int][]byte
	tries          map[int]int
	content        []byte // of the blob, nil where there is none
	began, aborted int
	held, most     int // bytes that are held at the moment, and at most
}

func (s *service) upload() Upload {
	s.parts, s.tries = map[int][]byte{}, map[int]int{}
	return Upload{
		MaxParts: 5,
		Whole: func(ctx context.Context, data []byte) (driver.Info, error) {
			if err := s.take(ctx, 0, data); err != nil {
				return driver.Info{}, err
			}
			s.content = bytes.Clone(data)
			return driver.Info{Size: int64(len(data))}, nil
		},
		Begin: func(context.Context) (Parts, error) { s.began++; return s, nil },
	}
}

func (s *service) take(ctx context.Context, n int, data []byte) error {
	s.mu.Lock()
	s.tries[n]++
	try := s.tries[n]
	s.held += len(data)
	s.most = max(s.most, s.held)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.held -= len(data)
		s.mu.Unlock()
	}()
	if s.refuse != nil {
		if err := s.refuse(n, try); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *service) Put(ctx context.Context, n int, data []byte) error {
	if err := s.take(ctx, n, data); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[n] = bytes.Clone(data)
	return nil
}

func (s *service) Complete(ctx context.Context, n int, size int64) (driver.Info, error) {
	if err := s.take(ctx, -1, nil); err != nil {
		return driver.Info{}, err
	}
	for i := range n {
		s.content = append(s.content, s.parts[i+1]...)
	}
	if len(s.parts) != n || int64(len(s.content)) != size {
		return driver.Info{}, fmt.Errorf("%d parts with %d bytes are completed as %d with %d", len(s.parts), len(s.content), n, size)
	}
	return driver.Info{Size: size}, nil
}

func (s *service) Abort(context.Context) { s.aborted++ }

// content is bytes of which no two parts are alike.
func content(size int) []byte { return noise()[:size:size] }

var noise = sync.OnceValue(func() []byte {
	data := make([]byte, 5*PartSize+1)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
})

func TestUploadSizes(t *testing.T) {
	var sizes []int
	for _, border := range []int{0, small, PartSize, 2 * PartSize, 3 * PartSize} {
		sizes = append(sizes, border, border+1)
		if border > 0 {
			sizes = append(sizes, border-1)
		}
	}
	for _, size := range sizes {
		for _, announced := range []int64{int64(size), -1} {
			var s service
			data := content(size)
			info, err := s.upload().Put(t.Context(), io.MultiReader(bytes.NewReader(data)), announced)
			if err != nil || info.Size != int64(size) || !bytes.Equal(s.content, data) {
				t.Errorf("%d bytes, announced as %d: %d came, %+v, %v", size, announced, len(s.content), info, err)
			}
			if s.aborted > 0 || s.began > 0 != (len(s.parts) > 0) || size < PartSize && s.began > 0 {
				t.Errorf("%d bytes, announced as %d: %d parts, begun %d times, %d aborted", size, announced, len(s.parts), s.began, s.aborted)
			}
		}
	}
}

// Whatever is wrong with a body, nothing is stored of it.
func TestUploadOfBadBodies(t *testing.T) {
	broken := errors.New("broken")
	for _, size := range []int{0, 10, PartSize, PartSize + 10, 2 * PartSize} {
		for name, c := range map[string]struct {
			body io.Reader
			size int64
			err  error // nil: of kind Invalid
		}{
			"longer":         {bytes.NewReader(content(size + 1)), int64(size), nil},
			"much longer":    {bytes.NewReader(content(size + 2*PartSize)), int64(size), nil},
			"shorter":        {bytes.NewReader(content(size)), int64(size) + 1, nil},
			"much shorter":   {bytes.NewReader(content(size)), int64(size) + 2*PartSize, nil},
			"broken":         {io.MultiReader(bytes.NewReader(content(size/2)), iotest.ErrReader(broken)), int64(size), broken},
			"broken at end":  {io.MultiReader(bytes.NewReader(content(size)), iotest.ErrReader(broken)), int64(size), broken},
			"broken, no end": {io.MultiReader(bytes.NewReader(content(size)), iotest.ErrReader(broken)), -1, broken},
		} {
			var s service
			_, err := s.upload().Put(t.Context(), c.body, c.size)
			if c.err == nil && !blob.Is(err, blob.Invalid) || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("%d bytes, %s: %v", size, name, err)
			}
			if s.content != nil || s.began != s.aborted {
				t.Errorf("%d bytes, %s: %d stored, begun %d times, %d aborted", size, name, len(s.content), s.began, s.aborted)
			}
		}
	}
}

func TestUploadThatIsTooLarge(t *testing.T) {
	for _, size := range []int64{5 * PartSize * 32, -1} {
		var s service
		u := s.upload()
		_, err := u.Put(t.Context(), bytes.NewReader(content(5*PartSize+1)), size)
		if !blob.Is(err, blob.Invalid) || s.content != nil || s.began != s.aborted {
			t.Errorf("announced as %d: %v, %d aborted", size, err, s.aborted)
		}
	}
	// Parts grow where there would be too many of them.
	var s service
	data := content(5*PartSize + 1)
	if _, err := s.upload().Put(t.Context(), bytes.NewReader(data), int64(len(data))); err != nil || !bytes.Equal(s.content, data) || len(s.parts) != 3 {
		t.Errorf("%d parts, %v", len(s.parts), err)
	}
}

func TestUploadTriesPartsAgain(t *testing.T) {
	data := content(4*PartSize - 1)
	flaky, fatal := &driver.Error{Kind: driver.Unavailable}, &driver.Error{Kind: driver.Denied, Err: errors.New("no")}
	for name, c := range map[string]struct {
		refuse func(part, try int) error
		err    error
	}{
		"flaky": {func(part, try int) error {
			if try < 4 && part > 0 {
				return flaky
			}
			return nil
		}, nil},
		"fatal": {func(part, try int) error {
			if part == 2 {
				return fatal
			}
			return nil
		}, fatal},
		"the last one": {func(part, _ int) error {
			if part == 4 {
				return fatal
			}
			return nil
		}, fatal},
		"for ever": {func(part, _ int) error {
			if part == 3 {
				return flaky
			}
			return nil
		}, flaky},
		"completion": {func(part, _ int) error {
			if part < 0 {
				return fatal
			}
			return nil
		}, fatal},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the waits between tries take no time
				s := service{refuse: c.refuse}
				_, err := s.upload().Put(t.Context(), bytes.NewReader(data), int64(len(data)))
				if c.err == nil {
					if err != nil || !bytes.Equal(s.content, data) || s.aborted != 0 {
						t.Errorf("%v, %d aborted", err, s.aborted)
					}
				} else if blob.KindOf(err) != blob.KindOf(c.err) || s.content != nil || s.aborted != 1 {
					t.Errorf("%v, %d stored, %d aborted", err, len(s.content), s.aborted)
				}
			})
		})
	}
}

// A body that fails, or a caller who leaves, does not wait for parts under way.
func TestUploadIsLeft(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		body func(cancel func()) io.Reader
		err  error
	}{
		"broken":    {func(func()) io.Reader { return iotest.ErrReader(broken) }, broken},
		"cancelled": {func(cancel func()) io.Reader { cancel(); return strings.NewReader("") }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var s service
				u := s.upload()
				u.Begin = func(context.Context) (Parts, error) { return waiting{&s}, nil }
				body := io.MultiReader(bytes.NewReader(content(PartSize)), readerFunc(func(p []byte) (int, error) {
					synctest.Wait() // until the first part is under way
					return c.body(cancel).Read(p)
				}))
				if _, err := u.Put(ctx, body, -1); !errors.Is(err, c.err) || s.aborted != 1 {
					t.Errorf("%v, %d aborted", err, s.aborted)
				}
			})
		})
	}
}

// waiting is a service whose parts take until the context ends.
type waiting struct{ *service }

func (w waiting) Put(ctx context.Context, _ int, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// However many uploads there are, of whatever size, they take so much memory
// together, and all of them end.
func TestUploadsShareMemory(t *testing.T) {
	data := content(3*PartSize + 5)
	var s service
	u := s.upload()
	u.Begin = func(context.Context) (Parts, error) { return waitless{&s}, nil }
	u.Whole = func(ctx context.Context, data []byte) (driver.Info, error) {
		return driver.Info{}, s.take(ctx, 0, data)
	}
	done := pool.begin()
	var running sync.WaitGroup
	for i := range 32 {
		running.Go(func() {
			size := []int{len(data), PartSize, small + 1, len(data)}[i%4]
			announced := int64(size)
			if i%8 == 0 {
				announced = -1
			}
			if _, err := u.Put(t.Context(), bytes.NewReader(data[:size]), announced); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if s.most > memory || s.held != 0 {
		t.Errorf("%d bytes were held at a time, more than %d, and %d are still", s.most, memory, s.held)
	}
	if idle := len(pool.idle); idle == 0 || idle > memory/PartSize {
		t.Errorf("%d buffers are there for uploads to come", idle)
	}
	if done(); len(pool.idle) > 0 {
		t.Errorf("%d buffers are kept though there are no uploads", len(pool.idle))
	}
	if !pool.budget.TryAcquire(memory) {
		t.Fatal("some memory was not given back")
	}
	pool.budget.Release(memory)
}

// waitless takes parts and forgets them.
type waitless struct{ *service }

func (w waitless) Put(ctx context.Context, n int, data []byte) error { return w.take(ctx, n, data) }
func (w waitless) Complete(context.Context, int, int64) (driver.Info, error) {
	return driver.Info{}, nil
}

// Small blobs are stored also while large ones take all the memory.
func TestSmallUploadsDoNotWait(t *testing.T) {
	if err := pool.budget.Acquire(t.Context(), memory); err != nil {
		t.Fatal(err)
	}
	defer pool.budget.Release(memory)
	var s service
	if _, err := s.upload().Put(t.Context(), bytes.NewReader(content(small)), small); err != nil {
		t.Error(err)
	}
}
