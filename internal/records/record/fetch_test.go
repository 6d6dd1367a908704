package record_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

const fetchKey = "call/lease"

// wire is a store whose answers each fault, in turn, changes on their way.
type wire struct {
	*memblob.Store
	faults []func(data []byte, info *driver.Info) error
	reads  int
}

func (w *wire) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	data, info, err := w.Store.Slurp(ctx, key, buf, limit)
	w.reads++
	if len(w.faults) > 0 && err == nil {
		fault := w.faults[0]
		w.faults = w.faults[1:]
		err = fault(data, &info)
	}
	return data, info, err
}

func flipped(data []byte, _ *driver.Info) error { data[len(data)/2] ^= 1; return nil }
func refuted([]byte, *driver.Info) error {
	return &driver.Error{Kind: driver.Corrupt, Err: errors.New("wrong checksum")}
}
func otherTag(_ []byte, info *driver.Info) error { info.Version += "x"; return nil }
func bothWrong(data []byte, info *driver.Info) error {
	return errors.Join(flipped(data, info), otherTag(data, info))
}

type faults = []func([]byte, *driver.Info) error

// The kind of fault: bytes that came differ from the stored ones. Whether line
// 1 or the store's checksum notices, Fetch reads again; the record is damaged
// only if it is wrong twice under one version.
func TestFetchReadsTwice(t *testing.T) {
	for name, c := range map[string]struct {
		faults  faults
		damaged bool
	}{
		"right":                       {nil, false},
		"flipped once":                {faults{flipped}, false},
		"refuted once":                {faults{refuted}, false},
		"flipped, then refuted":       {faults{flipped, refuted}, false},
		"with another tag once":       {faults{bothWrong}, false},
		"with another tag in between": {faults{flipped, bothWrong}, false},
		"flipped twice":               {faults{flipped, flipped}, true},
		"refuted for good":            {faults{refuted, refuted, refuted, refuted}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{Store: memblob.New()}
			s := blob.New("mem://test", w)
			sealed, err := record.Seal(record.KindLease, map[string]string{"key": "value"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			put, err := s.PutBytes(t.Context(), fetchKey, sealed, blob.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w.faults = c.faults
			found, err := record.Fetch(t.Context(), s, fetchKey, record.KindLease)
			if c.damaged {
				if !errors.Is(err, record.ErrDamaged) || found.Info.Version != put.Version {
					t.Errorf("%v, version %q: want damage under version %q", err, found.Info.Version, put.Version)
				}
				return
			}
			if err != nil || string(found.Header) != `{"key":"value"}` || found.Info.Version != put.Version {
				t.Errorf("%s, %v", found.Header, err)
			}
			if most := len(c.faults) + 1; w.reads > most {
				t.Errorf("it took %d readings, and %d were enough", w.reads, most)
			}
		})
	}
}

// huge is a store with one blob that begins with some bytes and has zeros up to
// its size. It counts the bytes that are read.
type huge struct {
	driver.Store
	begin string
	size  int64
	read  int64
}

func (h *huge) Get(_ context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	length := h.size
	if part.Length > 0 {
		length = min(length, part.Length)
	}
	body := io.LimitReader(io.MultiReader(strings.NewReader(h.begin), zeros{}), length)
	return io.NopCloser(&counted{body, &h.read}), driver.Info{Key: key, Size: h.size, Version: "1"}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type counted struct {
	io.Reader
	n *int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.n += int64(n)
	return n, err
}

// The kind of fault: something lies where a record belongs that is larger than
// any such record. It takes no memory; and by line 1 it is damaged, so that it
// may be replaced, or intact and a newer program's, and never replaced.
func TestFetchReadsNothingHuge(t *testing.T) {
	hash := strings.Repeat("0", 64)
	line := func(format string, kind record.Kind, size int64) string {
		for digits := 1; ; digits++ {
			rest := size - int64(len(format)+1+len(kind)+1+len(hash)+1+digits+1)
			if text := fmt.Sprintf("%s %s %s %d\n", format, kind, hash, rest); int64(len(text))+rest == size {
				return text
			}
		}
	}
	for _, kind := range []record.Kind{record.KindLease, record.KindSession, record.KindResult, record.KindInvocation, record.KindError} {
		size := kind.Limit() + 1
		for name, c := range map[string]struct {
			begin   string
			damaged bool
		}{
			"zeros":               {"", true},
			"a line without end":  {strings.Repeat("mops1 ", 1000), true},
			"of another length":   {line(record.Format, kind, size-1), true},
			"with a bit flipped":  {strings.Replace(line(record.Format, kind, size), "mops1", "mops3", 1), true},
			"of a newer format":   {line("mops7", kind, size), false},
			"of another kind":     {line(record.Format, "picture", size), false},
			"as line 1 has it":    {line(record.Format, kind, size), false},
			"with a broken first": {strings.Replace(line(record.Format, kind, size), hash, "", 1), true},
		} {
			h := &huge{begin: c.begin, size: size}
			found, err := record.Fetch(t.Context(), blob.New("mem://test", h), fetchKey, kind)
			_, format := errors.AsType[*record.FormatError](err)
			if errors.Is(err, record.ErrDamaged) != c.damaged || format == c.damaged || found.Info.Version == "" {
				t.Errorf("%s %s: %v", kind, name, err)
			}
			if h.read > 4<<10 {
				t.Errorf("%s %s: %d bytes were read", kind, name, h.read)
			}
		}
		// A service that tells another size than it sends.
		h := &huge{size: 100}
		s := blob.New("mem://test", liar{h})
		if _, _, err := s.ReadUpTo(t.Context(), fetchKey, nil, 1000); !blob.Is(err, blob.TooLarge) || h.read > 4<<10 {
			t.Errorf("a body longer than it was said to be: %v, and %d bytes were read", err, h.read)
		}
	}
}

// liar sends more than it says.
type liar struct{ *huge }

func (l liar) Get(_ context.Context, key string, _ driver.Range) (io.ReadCloser, driver.Info, error) {
	return io.NopCloser(&counted{zeros{}, &l.read}), driver.Info{Key: key, Size: l.size, Version: "1"}, nil
}

// Nothing is written that would not be read.
func TestSealRefusesWhatIsTooLarge(t *testing.T) {
	header := map[string]string{"why": strings.Repeat("x", int(record.KindSession.Limit()))}
	if _, err := record.Seal(record.KindSession, header, nil); err == nil {
		t.Error("a record was made that nobody reads")
	}
}

// The record of a run has no line 1. If it is not JSON twice, it is damaged.
func TestFetchRun(t *testing.T) {
	const key = "call/runs/run.json"
	for name, c := range map[string]struct {
		content string
		faults  faults
		damaged bool
	}{
		"right":         {`{"run_id":"r"}`, nil, false},
		"flipped once":  {`{"run_id":"r"}`, faults{func(data []byte, _ *driver.Info) error { data[0] ^= 1; return nil }}, false},
		"refuted twice": {`{"run_id":"r"}`, faults{refuted, refuted}, false},
		"torn":          {`{"run_id":`, nil, true},
		"huge":          {strings.Repeat(" ", record.RunLimit+1), nil, true},
	} {
		w := &wire{Store: memblob.New()}
		s := blob.New("mem://test", w)
		if _, err := s.PutBytes(t.Context(), key, []byte(c.content), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		w.faults = c.faults
		header, found, err := record.FetchRun(t.Context(), s, key)
		if errors.Is(err, record.ErrDamaged) != c.damaged || !c.damaged && header.RunID != "r" || found.Info.Size != int64(len(c.content)) {
			t.Errorf("%s: %+v of %d bytes, %v", name, header.Head, found.Info.Size, err)
		}
	}
	w := &wire{Store: memblob.New()}
	if _, _, err := record.FetchRun(t.Context(), blob.New("mem://test", w), key); !blob.Is(err, blob.NotFound) {
		t.Errorf("one that is not there: %v", err)
	}
}
