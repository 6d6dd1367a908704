package source

import (
	"container/list"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
)

// Value is a value of this process as content: the bytes that encode returns,
// which must be the same each time. Value calls encode at once, to get their
// hash.
func Value(ctx context.Context, encode func(context.Context) ([]byte, error)) (*Ref, error) {
	data, err := encode(ctx)
	if err != nil {
		return nil, err
	}
	e := &encoded{encode: encode, sum: sha256.Sum256(data), data: data}
	id := Identity{Kind: KindValue, Hash: e.sum, Size: int64(len(data))}
	return &Ref{content: &content{id: id, file: object{sum: id.Hash, size: id.Size, value: e}}}, nil
}

// encoded is a value's encoding. It is kept until a store has it, and made
// again if it is needed after that.
type encoded struct {
	encode func(context.Context) ([]byte, error)
	sum    Hash

	mu   sync.Mutex
	data []byte // nil if it would have to be made again
}

func (e *encoded) bytes(ctx context.Context) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.data != nil {
		return e.data, nil
	}
	data, err := e.encode(ctx)
	if err != nil {
		return nil, err
	}
	if sum := Hash(sha256.Sum256(data)); sum != e.sum {
		return nil, fmt.Errorf("the shared value with SHA-256 %s was changed after it was shared, and is %s now: share what stays as it is, such as a copy: %w", e.sum, sum, ErrChanged)
	}
	e.data = data
	return data, nil
}

// stored drops the encoding, which a store has now.
func (e *encoded) stored() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.data = nil
}

// inMemory is the object's content if it lies in the memory of this process;
// else nil.
func (o *object) inMemory(ctx context.Context) ([]byte, error) {
	if o.value != nil {
		return o.value.bytes(ctx)
	}
	return o.data, nil
}

// Adopt is for sources that were decoded from what from was encoded as, and no store
// has: they are from the same results, and values get their content. It comes
// before Bind.
func (f *Files) Adopt(refs, from []*Ref) {
	values := map[Identity]*content{}
	for _, r := range from {
		if c := r.snapshot(); c != nil && c.file.value != nil {
			values[c.id] = c
		}
	}
	for i, r := range refs {
		if c := r.snapshot(); c != nil && values[c.id] != nil {
			r.set(f, values[c.id])
		}
		if i < len(from) && from[i].Hash() == r.Hash() { // both are in order of appearance
			r.ReadFrom(from[i].From())
		}
	}
}

// Decoded is the result of decode for the content, made once for all sources of
// the same content and target, which identifies the kind of result: all callers
// share the value. It is kept as long as there is room; see maxDecoded.
func (r *Ref) Decoded(ctx context.Context, target any, decode func(data []byte) (any, error)) (any, error) {
	f, c, err := r.known(ctx)
	if err != nil {
		return nil, err
	}
	key := decodedKey{c.id.Hash, target}
	if v, ok := f.decoded.get(key); ok {
		return v, nil
	}
	done, err := f.turns.take(ctx, fmt.Sprintf("decode %s %v", key.sum, target))
	if err != nil {
		return nil, err
	}
	defer done()
	if v, ok := f.decoded.get(key); ok {
		return v, nil
	}
	data, err := f.read(ctx, r, c)
	if err != nil {
		return nil, err
	}
	v, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("source %s: its content is intact, but cannot be decoded: %w", r, err)
	}
	f.decoded.put(key, v, c.id.Size)
	return v, nil
}

// read is the whole content, verified. If there is a cache, content from
// another machine goes through it, for the sake of other processes.
func (f *Files) read(ctx context.Context, r *Ref, c *content) ([]byte, error) {
	if data, err := c.file.inMemory(ctx); err != nil || data != nil {
		return data, err
	}
	at, err := f.placeOfObject(ctx, &c.file)
	if err != nil {
		return nil, err
	}
	if f.cache.Dir != "" || at.store == nil || at.store.IsLocal() {
		return r.readFrom(func() (io.ReadCloser, error) { return r.Open(ctx) }, c.id.Size)
	}
	var data []byte
	err = f.twice(ctx, at, func() (err error) {
		data, err = r.readFrom(func() (io.ReadCloser, error) { return f.stream(ctx, at, &c.file) }, c.id.Size)
		return err
	})
	return data, err
}

// readFrom reads size bytes of the body that open returns.
func (r *Ref) readFrom(open func() (io.ReadCloser, error), size int64) ([]byte, error) {
	body, err := open()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data := make([]byte, size)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, fmt.Errorf("source %s: %w", r, err)
	}
	return data, nil
}

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
