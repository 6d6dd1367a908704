package codec

import (
	"encoding/binary"
	"errors"
	"math"
)

// Major types and simple values of RFC 8949, sections 3.1 and 3.3.
const (
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorMap   = 5 << 5
	majorTag   = 6 << 5
	majorMask  = 7 << 5

	null      = 0xf6
	undefined = 0xf7
)

// appendHead appends the head of a data item in its shortest form.
func appendHead(to []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(to, major|byte(n))
	case n <= math.MaxUint8:
		return append(to, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(to, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(to, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(to, major|27), n)
	}
}

var errTruncated = errors.New("the data ends in the middle of a value")

// readHead reads the head of a data item of definite length.
func readHead(data []byte) (major byte, n uint64, rest []byte, err error) {
	if len(data) == 0 {
		return 0, 0, nil, errTruncated
	}
	major, info := data[0]&majorMask, data[0]&^majorMask
	if info < 24 {
		return major, uint64(info), data[1:], nil
	}
	size := 1 << (info - 24)
	if info > 27 || len(data) < 1+size {
		return 0, 0, nil, errTruncated
	}
	for _, b := range data[1 : 1+size] {
		n = n<<8 | uint64(b)
	}
	return major, n, data[1+size:], nil
}

// unsignZeros makes every -0 in well-formed CBOR a +0. The shortest form of -0
// is that of half a float: f9 80 00.
func unsignZeros(data []byte) {
	for i := 0; i < len(data); {
		major, info := data[i]&majorMask, data[i]&^majorMask
		size := 1
		if info >= 24 {
			size += 1 << (info - 24)
		}
		switch {
		case data[i] == 0xf9 && data[i+1] == 0x80 && data[i+2] == 0:
			data[i+1] = 0
		case major == majorBytes || major == majorText:
			_, n, _, _ := readHead(data[i:])
			size += int(n)
		}
		i += size
	}
}
