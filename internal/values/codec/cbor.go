package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// The library's modes, with its defaults corrected.
var (
	encModes = [...]cbor.EncMode{Input: encMode(Input), Output: encMode(Output)}
	decModes = [...]cbor.DecMode{strict: newDecMode(cbor.ExtraDecErrorUnknownField), lenient: newDecMode(cbor.ExtraDecErrorNone)}
	decMode  = decModes[strict]
)

func encMode(side Side) cbor.EncMode {
	opts := cbor.CoreDetEncOptions()
	opts.Time = cbor.TimeRFC3339NanoUTC // the default rounds to whole seconds
	opts.TimeTag = cbor.EncTagRequired
	opts.OmitEmpty = cbor.OmitEmptyGoValue // the default may leave out structs
	opts.TextMarshaler = cbor.TextMarshalerTextString
	opts.NilContainers = cbor.NilContainerAsEmpty
	if side == Output {
		opts.NilContainers = cbor.NilContainerAsNull
		opts.NaNConvert = cbor.NaNConvertNone
	}
	return must(opts.EncMode())
}

func newDecMode(errors cbor.ExtraDecErrorCond) cbor.DecMode {
	return must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: errors,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		IndefLength:       cbor.IndefLengthForbidden,
		TimeTag:           cbor.DecTagRequired,
		TextUnmarshaler:   cbor.TextUnmarshalerTextString,
		UTF8:              cbor.UTF8DecodeInvalid, // Go strings may hold any bytes
		MaxNestedLevels:   MaxDepth,
		MaxArrayElements:  math.MaxInt32, // the library's maximum
		MaxMapPairs:       math.MaxInt32,
	}.DecMode())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// argument is v for the library: its address, if it has one, to copy nothing.
func argument(v reflect.Value) any {
	if v.CanAddr() {
		return v.Addr().Interface()
	}
	return v.Interface()
}

// Major types and simple values of RFC 8949, sections 3.1 and 3.3.
const (
	majorPositive = 0 << 5
	majorNegative = 1 << 5
	majorBytes    = 2 << 5
	majorText     = 3 << 5
	majorArray    = 4 << 5
	majorMap      = 5 << 5
	majorTag      = 6 << 5
	majorMask     = 7 << 5

	simpleFalse = 0xf4
	simpleTrue  = 0xf5
	null        = 0xf6
	undefined   = 0xf7
	floatHalf   = 0xf9
	floatSingle = 0xfa
	floatDouble = 0xfb
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
