package blobtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/blob"
)

var raceChecks = []Check{
	{"OneWinner", "Of many puts with IfAbsent at one moment exactly one writes.", running(checkOneWinner)},
	{"NoLostSwap", "Of many swaps at one moment none is lost, and none counts twice.", running(checkNoLostSwap)},
	{"WholeWhileOverwritten", "A reader sees a whole blob, also while it is written over.", running(checkWholeWhileOverwritten)},
	{"Neighbours", "Puts and deletes of neighbours do not disturb each other.", running(checkNeighbours)},
}

// together runs n functions at once, and fails as those do that fail.
func (p *probe) together(n int, do func(i int)) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = p.try(func() { do(i) })
		})
	}
	close(start)
	wg.Wait()
	p.must(errors.Join(errs...))
}

func checkOneWinner(p *probe) {
	for round := range 5 {
		key := fmt.Sprintf("%s/%d/blob", p.prefix, round)
		var winners atomic.Int32
		var winner atomic.Value
		p.together(8, func(i int) {
			data := strings.Repeat(fmt.Sprintf("writer %d;", i), 1+i*1000)
			_, err := put(p.ctx, p.store, key, data, blob.PutOptions{IfAbsent: true})
			if err == nil {
				winners.Add(1)
				winner.Store(data)
				return
			}
			p.fails("losing", err, blob.Exists)
		})
		if winners.Load() != 1 {
			p.failf("%d of 8 puts have written", winners.Load())
		}
		p.content(key, winner.Load().(string))
	}
}

func checkNoLostSwap(p *probe) {
	const writers, each = 4, 10
	key := p.prefix + "/counter"
	p.put(key, "0", blob.PutOptions{IfAbsent: true})
	p.together(writers, func(int) {
		for done := 0; done < each; {
			data, info, err := p.store.ReadAll(p.ctx, key, nil)
			p.must(err)
			n, err := strconv.Atoi(string(data))
			p.must(err)
			_, err = put(p.ctx, p.store, key, strconv.Itoa(n+1), blob.PutOptions{IfVersion: info.Version})
			if !blob.Is(err, blob.Mismatch) {
				p.must(err)
				done++
			}
		}
	})
	p.content(key, strconv.Itoa(writers*each))
}

func checkWholeWhileOverwritten(p *probe) {
	key := p.prefix + "/blob"
	p.put(key, "a", blob.PutOptions{})
	whole := func(data string, info blob.Info, err error) {
		p.must(err)
		if int64(len(data)) != info.Size || strings.Trim(data, data[:1]) != "" {
			p.failf("a reader saw a mixture: %s, described as %+v", short(data), info)
		}
	}
	var writing sync.WaitGroup
	ended := make(chan struct{})
	writing.Add(1)
	go func() { writing.Wait(); close(ended) }()
	p.together(3, func(i int) {
		if i == 0 {
			defer writing.Done()
			for n := range 40 {
				data := strings.Repeat(string(rune('a'+n%26)), 1+n*4000)
				p.put(key, data, blob.PutOptions{})
			}
			return
		}
		for {
			select {
			case <-ended:
				return
			default:
			}
			data, info, err := p.store.ReadAll(p.ctx, key, nil)
			whole(string(data), info, err)
			whole(read(p.ctx, p.store, key, blob.Range{}))
		}
	})
}

func checkNeighbours(p *probe) {
	p.together(4, func(i int) {
		for n := range 20 {
			key := fmt.Sprintf("%s/folder/%d/blob%d", p.prefix, n%2, i)
			data := fmt.Sprint("content ", i, n)
			p.put(key, data, blob.PutOptions{IfAbsent: true})
			if n%3 == 0 {
				data += " swapped"
				p.put(key, data, blob.PutOptions{})
			}
			p.content(key, data)
			p.delete(key)
		}
	})
}
