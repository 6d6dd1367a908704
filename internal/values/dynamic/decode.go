package dynamic

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/x448/float16"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// maxDepth is above the depth that package codec allows, with room for the
// tags and arrays that it adds.
const maxDepth = 40_000

// maxValues bounds what Decode makes of a value, and so its memory: a value of one
// byte takes up to 200 bytes here. A value whose parts were shared before it was
// encoded may have hundreds of millions of them.
const maxValues = 10_000_000

// ErrTooLarge says that a value has more parts than Decode reads. It is intact as
// far as it was read.
var ErrTooLarge = fmt.Errorf("it has more than %s parts, and the rest is left out: a program that has its type reads it whole", text.Number(maxValues))

// Decode reads one CBOR value. When the data is damaged, or the value is too large
// ([ErrTooLarge]), or ctx ends, it returns what could be read up to there, with
// [Missing] in the place of the rest, and an error. It does not use the CBOR
// library, whose values without types are maps that have lost their order, of any
// size, and which makes nothing of data that is damaged somewhere.
func Decode(ctx context.Context, data []byte) (value any, err error) {
	return DecodePart(ctx, data, Whole)
}

// DecodePart is Decode with [Missing] in the place of the fields that are not asked for.
func DecodePart(ctx context.Context, data []byte, part *Part) (value any, err error) {
	return decode(ctx, data, part, maxValues)
}

func decode(ctx context.Context, data []byte, part *Part, most int) (value any, err error) {
	d := decoder{data: data, ended: ctx.Err, left: most}
	value = d.value(0, part)
	if d.err == nil && d.at < len(data) {
		d.err = fmt.Errorf("%d bytes follow the value, from byte %d on", len(data)-d.at, d.at)
	}
	return value, d.err
}

type decoder struct {
	data []byte
	at   int
	err  error // the first; nothing is read after it

	ended func() error
	read  int // values
	left  int // values that may still be made
}

// breathe looks now and then whether anybody waits for the value.
func (d *decoder) breathe() {
	if d.read++; d.read%1024 != 0 {
		return
	}
	if err := d.ended(); err != nil {
		d.fail(err)
	}
}

var errEnds = errors.New("the data ends in the middle of a value")

func (d *decoder) fail(err error) Missing {
	if d.err == nil {
		d.err = fmt.Errorf("at byte %d: %w", d.at, err)
	}
	return Missing{Why: err.Error()}
}

// head reads the head of a data item (RFC 8949, section 3).
func (d *decoder) head() (major byte, info byte, n uint64, err error) {
	if d.at >= len(d.data) {
		return 0, 0, 0, errEnds
	}
	first := d.data[d.at]
	major, info = first>>5, first&0x1f
	rest := d.data[d.at+1:]
	size := 0
	switch {
	case info < 24:
		n = uint64(info)
	case info <= 27:
		if size = 1 << (info - 24); len(rest) < size {
			return 0, 0, 0, errEnds
		}
		var wide [8]byte
		copy(wide[8-size:], rest[:size])
		n = binary.BigEndian.Uint64(wide[:])
	default:
		return 0, 0, 0, fmt.Errorf("a data item that begins with %#02x is not one that mops writes", first)
	}
	d.at += 1 + size
	return major, info, n, nil
}

var errDeep = fmt.Errorf("it is nested more than %d deep", maxDepth)

func (d *decoder) value(depth int, part *Part) any {
	if depth > maxDepth {
		return d.fail(errDeep)
	}
	if d.left--; d.left < 0 {
		return d.fail(ErrTooLarge)
	}
	if d.breathe(); d.err != nil {
		return Missing{Why: d.err.Error()}
	}
	major, info, n, err := d.head()
	if err != nil {
		return d.fail(err)
	}
	switch major {
	case 0:
		if n > math.MaxInt64 {
			return n
		}
		return int64(n)
	case 1:
		if n > math.MaxInt64 {
			big := new(big.Int).SetUint64(n)
			return big.Not(big)
		}
		return -1 - int64(n)
	case 2:
		return d.bytes(n)
	case 3:
		if text, ok := d.bytes(n).([]byte); ok {
			return string(text)
		}
		return Missing{Why: errEnds.Error()}
	case 4:
		return d.array(n, depth)
	case 5:
		return d.mapping(n, depth, part)
	case 6:
		return fromTag(n, d.value(depth+1, Whole))
	default:
		return d.simple(info, n)
	}
}

func (d *decoder) bytes(n uint64) any {
	if n > uint64(len(d.data)-d.at) {
		return d.fail(errEnds)
	}
	part := d.data[d.at : d.at+int(n) : d.at+int(n)]
	d.at += int(n)
	return part
}

// room is how many elements to make room for at first, whatever a head claims.
func room(n uint64) int {
	const most = 64
	return int(min(n, most))
}

func (d *decoder) array(n uint64, depth int) any {
	list := make([]any, 0, room(n))
	for range n {
		list = append(list, d.value(depth+1, Whole))
		if d.err != nil {
			break
		}
	}
	return list
}

func (d *decoder) mapping(n uint64, depth int, part *Part) any {
	m := make(Map, 0, room(n))
	for range n {
		key := d.value(depth+1, Whole)
		if d.err != nil {
			m = append(m, Entry{Key: key, Value: Missing{Why: errEnds.Error()}})
			break
		}
		value := leftOut
		if below := part.below(key); below != nil {
			value = d.value(depth+1, below)
		} else {
			d.skip(depth + 1)
		}
		m = append(m, Entry{Key: key, Value: value})
		if d.err != nil {
			break
		}
	}
	if source, ok := asSource(m); ok {
		return source
	}
	return m
}

func (d *decoder) simple(info byte, n uint64) any {
	switch info {
	case 20, 21:
		return info == 21
	case 22:
		return nil
	case 25:
		return float64(float16.Frombits(uint16(n)).Float32())
	case 26:
		return float64(math.Float32frombits(uint32(n)))
	case 27:
		return math.Float64frombits(n)
	}
	return Simple(n)
}
