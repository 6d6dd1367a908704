package progress

import (
	"math/rand/v2"
	"sync/atomic"
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
