package source

import (
	"container/list"
	"sync"
)

// maxDecoded bounds the decoded values that are kept, in bytes of their
// encodings: in memory a value takes about one to five times that. The last
// used value is kept whatever its size.
const maxDecoded = 512 << 20

// decoded keeps decoded values; without room, it drops those that were not used
// for longest. The zero value is empty; it is safe for concurrent use.
type decoded struct {
	mu     sync.Mutex
	known  map[decodedKey]*list.Element
	byUse  list.List // of decodedValue, the latest first
	weight int64     // sum of sizes, in bytes
	most   int64     // 0 stands for maxDecoded
}

type decodedKey struct {
	sum    Hash
	target any
}

type decodedValue struct {
	decodedKey
	value any
	size  int64
}

func (d *decoded) get(key decodedKey) (value any, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.known[key]
	if !ok {
		return nil, false
	}
	d.byUse.MoveToFront(at)
	return at.Value.(decodedValue).value, true
}

// put keeps a value under a key that is not known.
func (d *decoded) put(key decodedKey, value any, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[decodedKey]*list.Element{}
	}
	if d.most == 0 {
		d.most = maxDecoded
	}
	d.known[key] = d.byUse.PushFront(decodedValue{key, value, size})
	d.weight += size
	for d.weight > d.most && d.byUse.Len() > 1 {
		last := d.byUse.Remove(d.byUse.Back()).(decodedValue)
		delete(d.known, last.decodedKey)
		d.weight -= last.size
	}
}
