package blobtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
)

var bodyChecks = []Check{
	{"Ranges", "A part of a blob is read as asked for, up to the end of the blob.", checkRanges},
	{"BigBody", "A large body arrives whole, with its length announced or not, from a reader or a file.", checkBigBody},
	{"WrongSize", "A body of another length than announced is an error and writes nothing.", checkWrongSize},
	{"FailingBody", "A body that fails half way is reported with its own error and writes nothing.", checkFailingBody},
	{"CloseEarly", "A body may be closed before its end.", checkCloseEarly},
}

func checkRanges(ctx context.Context, s *blob.Store, prefix string) error {
	key, data := prefix+"/blob", unlike(10_000)
	if _, err := put(ctx, s, key, data, blob.PutOptions{}); err != nil {
		return err
	}
	size := int64(len(data))
	for _, part := range []blob.Range{{}, {Offset: 0, Length: 1}, {Offset: 1}, {Offset: 17, Length: 4096}, {Offset: size - 1}, {Offset: size - 1, Length: 5},
		{Offset: 0, Length: size}, {Offset: 0, Length: size + 1}, {Offset: size}, {Offset: size, Length: 1}, {Offset: size + 1}, {Offset: size + 1000, Length: 1000}} {
		want := data[min(part.Offset, size):]
		if part.Length > 0 {
			want = want[:min(part.Length, int64(len(want)))]
		}
		got, info, err := read(ctx, s, key, part)
		if err != nil {
			return fmt.Errorf("%+v: %w", part, err)
		}
		if got != want {
			return fmt.Errorf("%+v read %s rather than %s", part, short(got), short(want))
		}
		if info.Size != size {
			return fmt.Errorf("%+v says that the blob has %d bytes rather than %d", part, info.Size, size)
		}
	}
	for _, part := range []blob.Range{{Offset: -1}, {Length: -1}} {
		_, _, err := s.Get(ctx, key, part)
		if err := expectKind(fmt.Sprintf("reading %+v", part), err, blob.Invalid); err != nil {
			return err
		}
	}
	return nil
}

func checkBigBody(ctx context.Context, s *blob.Store, prefix string) error {
	data := unlike(9<<20 + 3)
	want := sha256.Sum256([]byte(data))
	file, err := os.CreateTemp("", "blobtest-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := file.WriteString(data); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
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
		key := prefix + "/" + b.name
		info, err := s.Put(ctx, key, b.body, b.size, blob.PutOptions{IfAbsent: true})
		if err != nil {
			return err
		}
		if info.Size != size {
			return fmt.Errorf("%s: the put of %d bytes says %d", b.name, size, info.Size)
		}
		body, _, err := s.Get(ctx, key, blob.Range{})
		if err != nil {
			return err
		}
		hash := sha256.New()
		_, err = io.Copy(hash, body)
		if err := errors.Join(err, body.Close()); err != nil {
			return err
		}
		if [32]byte(hash.Sum(nil)) != want {
			return fmt.Errorf("%s: other bytes were read than written", b.name)
		}
	}
	return nil
}

func checkWrongSize(ctx context.Context, s *blob.Store, prefix string) error {
	return checkRefusedBody(ctx, s, prefix, func(key string, opts blob.PutOptions) error {
		const data = "ten bytes."
		for _, size := range []int64{0, 9, 11, 1000} {
			for _, body := range []io.Reader{strings.NewReader(data), io.MultiReader(strings.NewReader(data))} {
				if _, err := s.Put(ctx, key, body, size, opts); err == nil {
					return fmt.Errorf("10 bytes announced as %d were accepted", size)
				}
			}
		}
		return nil
	})
}

func checkFailingBody(ctx context.Context, s *blob.Store, prefix string) error {
	broken := errors.New("broken body")
	return checkRefusedBody(ctx, s, prefix, func(key string, opts blob.PutOptions) error {
		for _, size := range []int64{-1, 10, 5} {
			body := io.MultiReader(strings.NewReader("five."), failing{broken})
			if _, err := s.Put(ctx, key, body, size, opts); !errors.Is(err, broken) {
				return fmt.Errorf("a body that fails half way, of size %d, made put return %v", size, err)
			}
		}
		return nil
	})
}

// checkRefusedBody calls refused to try puts that must fail, on a blob that
// exists and on one that does not.
func checkRefusedBody(ctx context.Context, s *blob.Store, prefix string, refused func(key string, opts blob.PutOptions) error) error {
	absent, there := prefix+"/folder/absent", prefix+"/there"
	info, err := put(ctx, s, there, "before", blob.PutOptions{})
	if err != nil {
		return err
	}
	return errors.Join(
		refused(absent, blob.PutOptions{}),
		refused(absent, blob.PutOptions{IfAbsent: true}),
		refused(there, blob.PutOptions{}),
		refused(there, blob.PutOptions{IfVersion: info.Version}),
		expectAbsent(ctx, s, absent),
		expectContent(ctx, s, there, "before"))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func checkCloseEarly(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/blob"
	if _, err := put(ctx, s, key, unlike(1<<20), blob.PutOptions{}); err != nil {
		return err
	}
	for range 20 {
		body, _, err := s.Get(ctx, key, blob.Range{})
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(body, make([]byte, 10)); err != nil {
			return err
		}
		if err := body.Close(); err != nil {
			return err
		}
	}
	return nil
}
