package codec

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Types that marshal themselves in each way, with methods on the value or on
// the pointer.

type cborValue struct{ n int }

func (v cborValue) MarshalCBOR() ([]byte, error)     { return cbor.Marshal([]int{v.n}) }
func (v *cborValue) UnmarshalCBOR(data []byte) error { return unmarshalOne(data, &v.n) }

type cborPointer struct{ n int }

func (v *cborPointer) MarshalCBOR() ([]byte, error)    { return cbor.Marshal([]int{v.n}) }
func (v *cborPointer) UnmarshalCBOR(data []byte) error { return unmarshalOne(data, &v.n) }

func unmarshalOne(data []byte, n *int) error {
	var one [1]int
	err := cbor.Unmarshal(data, &one)
	*n = one[0]
	return err
}

type binaryValue struct{ n uint32 }

func (v binaryValue) MarshalBinary() ([]byte, error) {
	return binary.BigEndian.AppendUint32(nil, v.n), nil
}
func (v *binaryValue) UnmarshalBinary(data []byte) error { return uint32From(data, &v.n) }

type binaryPointer struct{ n uint32 }

func (v *binaryPointer) MarshalBinary() ([]byte, error) {
	return binary.BigEndian.AppendUint32(nil, v.n), nil
}
func (v *binaryPointer) UnmarshalBinary(data []byte) error { return uint32From(data, &v.n) }

func uint32From(data []byte, n *uint32) error {
	if len(data) != 4 {
		return errors.New("not 4 bytes")
	}
	*n = binary.BigEndian.Uint32(data)
	return nil
}

type textValue struct{ s string }

func (v textValue) MarshalText() ([]byte, error)     { return []byte("<" + v.s + ">"), nil }
func (v *textValue) UnmarshalText(data []byte) error { return unquote(data, &v.s) }

type textPointer struct{ s string }

func (v *textPointer) MarshalText() ([]byte, error)    { return []byte("<" + v.s + ">"), nil }
func (v *textPointer) UnmarshalText(data []byte) error { return unquote(data, &v.s) }

func unquote(data []byte, s *string) error {
	if len(data) < 2 {
		return errors.New("no quotes")
	}
	*s = string(data[1 : len(data)-1])
	return nil
}

// textInt is a number by kind, and text by its own will.
type textInt int

func (v textInt) MarshalText() ([]byte, error) { return []byte("#" + strconv.Itoa(int(v))), nil }
func (v *textInt) UnmarshalText(data []byte) error {
	n, err := strconv.Atoi(strings.TrimPrefix(string(data), "#"))
	*v = textInt(n)
	return err
}

// all marshals itself in all three ways: CBOR comes first.
type allWays struct{ n int }

func (v allWays) MarshalCBOR() ([]byte, error)     { return cbor.Marshal([]int{v.n}) }
func (v *allWays) UnmarshalCBOR(data []byte) error { return unmarshalOne(data, &v.n) }
func (allWays) MarshalBinary() ([]byte, error)     { return nil, errors.New("binary was used") }
func (*allWays) UnmarshalBinary([]byte) error      { return errors.New("binary was used") }
func (allWays) MarshalText() ([]byte, error)       { return nil, errors.New("text was used") }
func (*allWays) UnmarshalText([]byte) error        { return errors.New("text was used") }

// binaryAndText has both, as netip.Addr has: binary comes first.
type binaryAndText struct{ binaryValue }

func (binaryAndText) MarshalText() ([]byte, error) { return nil, errors.New("text was used") }
func (*binaryAndText) UnmarshalText([]byte) error  { return errors.New("text was used") }

// uuid is like the UUID types of the well-known packages.
type uuid [16]byte

func (u uuid) MarshalBinary() ([]byte, error) { return u[:], nil }
func (u *uuid) UnmarshalBinary(data []byte) error {
	if len(data) != len(u) {
		return errors.New("not 16 bytes")
	}
	copy(u[:], data)
	return nil
}
func (u uuid) MarshalText() ([]byte, error)     { return []byte(strconv.Quote(string(u[:]))), nil }
func (u *uuid) UnmarshalText(data []byte) error { return errors.New("text was used") }

// rawFloat writes a float as it is.
type rawFloat struct{ f float64 }

func (v rawFloat) MarshalCBOR() ([]byte, error)     { return encModes[Output].Marshal(v.f) }
func (v *rawFloat) UnmarshalCBOR(data []byte) error { return decMode.Unmarshal(data, &v.f) }
