package progress

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// shards is how many goroutines may count at once without getting into each
// other's way, roughly. A power of two.
const shards = 16

// counter counts up from many goroutines without making them wait for one
// cache line.
type counter struct {
	shards [shards]struct {
		n atomic.Int64
		_ [56]byte // to the end of a cache line
	}
}

func (c *counter) add() { c.shards[rand.Uint32()%shards].n.Add(1) }

func (c *counter) sum() (n int64) {
	for i := range c.shards {
		n += c.shards[i].n.Load()
	}
	return n
}

// durations is a summary of durations in constant space.
type durations struct {
	n               int64
	total, min, max time.Duration
	buckets         [256]uint32 // four for each doubling, from one microsecond on
}

func (d *durations) add(took time.Duration) {
	if d.n == 0 || took < d.min {
		d.min = took
	}
	d.max = max(d.max, took)
	d.n++
	d.total += took
	d.buckets[bucket(took)]++
}

func bucket(took time.Duration) int {
	if took <= time.Microsecond {
		return 0
	}
	return min(255, int(4*math.Log2(float64(took)/float64(time.Microsecond))))
}

// median is right to about a tenth.
func (d *durations) median() time.Duration {
	var seen int64
	for i, n := range d.buckets {
		seen += int64(n)
		if n > 0 && 2*seen >= d.n {
			middle := time.Duration(float64(time.Microsecond) * math.Exp2((float64(i)+0.5)/4))
			return min(max(middle, d.min), d.max)
		}
	}
	return 0
}
