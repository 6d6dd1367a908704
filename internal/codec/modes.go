package codec

import (
	"math"

	"github.com/fxamacker/cbor/v2"
)

// The library's modes, with its defaults corrected.
var (
	encModes = [...]cbor.UserBufferEncMode{Input: encMode(Input), Output: encMode(Output)}
	decModes = [...]cbor.DecMode{strict: newDecMode(cbor.ExtraDecErrorUnknownField), lenient: newDecMode(cbor.ExtraDecErrorNone)}
	decMode  = decModes[strict]
)

func encMode(side Side) cbor.UserBufferEncMode {
	opts := cbor.CoreDetEncOptions()
	opts.Time = cbor.TimeRFC3339NanoUTC // the default drops to whole seconds
	opts.TimeTag = cbor.EncTagRequired
	opts.OmitEmpty = cbor.OmitEmptyGoValue // the default may leave out structs
	opts.TextMarshaler = cbor.TextMarshalerTextString
	opts.NilContainers = cbor.NilContainerAsEmpty
	if side == Output {
		opts.NilContainers = cbor.NilContainerAsNull
		opts.NaNConvert = cbor.NaNConvertNone
	}
	return must(opts.UserBufferEncMode())
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
