package blobtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/blob"
)

var raceChecks = []Check{
	{"OneWinner", "Of many puts with IfAbsent at one moment exactly one writes.", checkOneWinner},
	{"NoLostSwap", "Of many swaps at one moment none is lost, and none counts twice.", checkNoLostSwap},
	{"WholeWhileOverwritten", "A reader sees a whole blob, also while it is written over.", checkWholeWhileOverwritten},
	{"Neighbours", "Puts and deletes of neighbours do not disturb each other.", checkNeighbours},
}

// together runs n functions at once, and joins their errors.
func together(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	return errors.Join(errs...)
}

func checkOneWinner(ctx context.Context, s *blob.Store, prefix string) error {
	for round := range 5 {
		key := fmt.Sprintf("%s/%d/blob", prefix, round)
		var winners atomic.Int32
		var winner atomic.Value
		err := together(8, func(i int) error {
			data := strings.Repeat(fmt.Sprintf("writer %d;", i), 1+i*1000)
			_, err := put(ctx, s, key, data, blob.PutOptions{IfAbsent: true})
			if err == nil {
				winners.Add(1)
				winner.Store(data)
				return nil
			}
			return expectKind("losing", err, blob.Exists)
		})
		if err != nil {
			return err
		}
		if winners.Load() != 1 {
			return fmt.Errorf("%d of 8 puts have written", winners.Load())
		}
		if err := expectContent(ctx, s, key, winner.Load().(string)); err != nil {
			return err
		}
	}
	return nil
}

func checkNoLostSwap(ctx context.Context, s *blob.Store, prefix string) error {
	const writers, each = 4, 10
	key := prefix + "/counter"
	if _, err := put(ctx, s, key, "0", blob.PutOptions{IfAbsent: true}); err != nil {
		return err
	}
	err := together(writers, func(int) error {
		for done := 0; done < each; {
			data, info, err := s.ReadAll(ctx, key, nil)
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(data))
			if err != nil {
				return err
			}
			_, err = put(ctx, s, key, strconv.Itoa(n+1), blob.PutOptions{IfVersion: info.Version})
			switch {
			case err == nil:
				done++
			case !blob.Is(err, blob.Mismatch):
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return expectContent(ctx, s, key, strconv.Itoa(writers*each))
}

func checkWholeWhileOverwritten(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/blob"
	if _, err := put(ctx, s, key, "a", blob.PutOptions{}); err != nil {
		return err
	}
	whole := func(data string, info blob.Info, err error) error {
		if err != nil {
			return err
		}
		if int64(len(data)) != info.Size || strings.Trim(data, data[:1]) != "" {
			return fmt.Errorf("a reader saw a mixture: %s, described as %+v", short(data), info)
		}
		return nil
	}
	var writing sync.WaitGroup
	ended := make(chan struct{})
	writing.Add(1)
	go func() { writing.Wait(); close(ended) }()
	return together(3, func(i int) error {
		if i == 0 {
			defer writing.Done()
			for n := range 40 {
				data := strings.Repeat(string(rune('a'+n%26)), 1+n*4000)
				if _, err := put(ctx, s, key, data, blob.PutOptions{}); err != nil {
					return err
				}
			}
			return nil
		}
		for {
			select {
			case <-ended:
				return nil
			default:
			}
			data, info, err := s.ReadAll(ctx, key, nil)
			if err := whole(string(data), info, err); err != nil {
				return err
			}
			if err := whole(read(ctx, s, key, blob.Range{})); err != nil {
				return err
			}
		}
	})
}

func checkNeighbours(ctx context.Context, s *blob.Store, prefix string) error {
	return together(4, func(i int) error {
		for n := range 20 {
			key := fmt.Sprintf("%s/folder/%d/blob%d", prefix, n%2, i)
			data := fmt.Sprint("content ", i, n)
			if _, err := put(ctx, s, key, data, blob.PutOptions{IfAbsent: true}); err != nil {
				return err
			}
			if n%3 == 0 {
				data += " swapped"
				if _, err := put(ctx, s, key, data, blob.PutOptions{}); err != nil {
					return err
				}
			}
			if err := expectContent(ctx, s, key, data); err != nil {
				return err
			}
			if err := s.Delete(ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
}
