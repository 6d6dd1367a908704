package blobtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	. "github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
)

func newMem() *blob.Store { return blob.New("mem://test", memblob.New()) }

func put(t *testing.T, s *blob.Store, key, data string) {
	t.Helper()
	if _, err := s.PutBytes(t.Context(), key, []byte(data), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestFaultyWithoutPlanConforms(t *testing.T) {
	Run(t, func(*testing.T) *blob.Store { return Faulty(newMem(), FaultPlan{}) })
}

func TestFaultyFails(t *testing.T) {
	below := newMem()
	s := Faulty(below, FaultPlan{Fail: map[Op]float64{OpPut: 1}})
	if _, err := s.PutBytes(t.Context(), "key", []byte("x"), blob.PutOptions{}); !blob.Is(err, blob.Unavailable) {
		t.Errorf("the put returned %v", err)
	}
	if _, err := below.Stat(t.Context(), "key"); !blob.Is(err, blob.NotFound) {
		t.Errorf("the put that failed has written: %v", err)
	}
}

func TestFaultyLosesAcknowledgements(t *testing.T) {
	below := newMem()
	s := Faulty(below, FaultPlan{LoseAck: map[Op]float64{OpAny: 1}})
	if _, err := s.PutBytes(t.Context(), "key", []byte("x"), blob.PutOptions{}); !blob.Is(err, blob.Unavailable) {
		t.Errorf("the put returned %v", err)
	}
	if _, err := below.Stat(t.Context(), "key"); err != nil {
		t.Errorf("the put has not written: %v", err)
	}
}

func TestFaultyFlips(t *testing.T) {
	below := newMem()
	s := Faulty(below, FaultPlan{Flip: 1})
	put(t, s, "key", "content")
	for n := range 100 {
		got, _, err := s.ReadAll(t.Context(), "key", nil)
		if n%2 == 1 {
			var body io.ReadCloser
			if body, _, err = s.Get(t.Context(), "key", blob.Range{}); err == nil {
				got, err = io.ReadAll(body)
				body.Close()
			}
		}
		wrong := 0
		for i := range got {
			wrong += bits.OnesCount8(got[i] ^ "content"[i])
		}
		if err != nil || wrong != 1 {
			t.Errorf("%q came (%v), with %d bits wrong", got, err, wrong)
		}
	}
	if got, _, err := below.ReadAll(t.Context(), "key", nil); string(got) != "content" || err != nil {
		t.Errorf("%q is stored (%v)", got, err)
	}
}

func TestFaultyStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Faulty(newMem(), FaultPlan{Stall: map[Op]float64{OpStat: 1}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, err := s.Stat(ctx, "key"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the stat returned %v", err)
		}
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("the stat took %v, and the context a minute", waited)
		}
	})
}

func TestFaultyCutsBodies(t *testing.T) {
	below := newMem()
	put(t, below, "key", "0123456789")
	s := Faulty(below, FaultPlan{Cut: 1})
	body, _, err := s.Get(t.Context(), "key", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(body); string(data) != "01234" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q and %v", data, err)
	}
	if data, _, err := s.ReadAll(t.Context(), "key", nil); len(data) != 0 || !blob.Is(err, blob.Unavailable) {
		t.Errorf("read %q and %v", data, err)
	}
}

func TestFaultyHooks(t *testing.T) {
	below := newMem()
	var seen []string
	crash := errors.New("crash")
	s := Faulty(below, FaultPlan{
		Before: func(op Op, key string) error {
			seen = append(seen, fmt.Sprint("before ", op, " ", key))
			if key == "forbidden" {
				return crash
			}
			return nil
		},
		After: func(op Op, key string) error {
			seen = append(seen, fmt.Sprint("after ", op, " ", key))
			return nil
		},
	})
	put(t, s, "key", "x")
	if _, err := s.PutBytes(t.Context(), "forbidden", nil, blob.PutOptions{}); !errors.Is(err, crash) {
		t.Errorf("the hook's error was lost: %v", err)
	}
	if _, err := below.Stat(t.Context(), "forbidden"); !blob.Is(err, blob.NotFound) {
		t.Errorf("the put was done in spite of the hook: %v", err)
	}
	if want := []string{"before put key", "after put key", "before put forbidden"}; !slices.Equal(seen, want) {
		t.Errorf("the hooks saw %q rather than %q", seen, want)
	}
}

func TestFaultyFollowsItsSeed(t *testing.T) {
	failures := func(seed uint64) (which []bool) {
		s := Faulty(newMem(), FaultPlan{Seed: seed, Fail: map[Op]float64{OpPut: 0.3}})
		for i := range 1000 {
			_, err := s.PutBytes(t.Context(), fmt.Sprint("key", i%10), nil, blob.PutOptions{})
			which = append(which, err != nil)
		}
		return which
	}
	first := failures(1)
	if !slices.Equal(first, failures(1)) {
		t.Error("one seed makes two fates")
	}
	if slices.Equal(first, failures(2)) {
		t.Error("two seeds make one fate")
	}
	failed := 0
	for _, f := range first {
		if f {
			failed++
		}
	}
	if failed < 230 || failed > 370 {
		t.Errorf("%d of 1000 failed, at a probability of 0.3", failed)
	}
}

func TestFaultyKeepsAbilities(t *testing.T) {
	if s := Faulty(newMem(), FaultPlan{}); s.IsLocal() {
		t.Error("the faulty store has files, and the one below has none")
	}
	if _, ok := Faulty(newMem(), FaultPlan{}).Driver().(driver.Clock); !ok {
		t.Error("the faulty store has no clock, and the one below has")
	}
}
