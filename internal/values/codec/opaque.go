package codec

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"runtime"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// remedy mends a loss in the methods of a well-known type. Those methods can
// still read all that it writes.
type remedy struct {
	// write writes a value that the methods would lose; nil if they do not.
	write func(v reflect.Value, side Side) ([]byte, error)
	// read corrects v, which the methods have read from data.
	read func(v reflect.Value, data []byte)
	// same reports whether a value came back as it was.
	same func(was, is reflect.Value) bool
	mend string // if it did not
}

const mappedIPv4 = "::ffff:"

var errEmpty = errors.New("it is empty, and would come back as nil: leave it nil")

var remedies = map[reflect.Type]remedy{
	// An address in 4 bytes and the same in 16 have one text, which reads as 16. To
	// net.IP they are one address, so inputs do not tell them apart.
	reflect.TypeFor[net.IP](): {
		write: func(v reflect.Value, side Side) ([]byte, error) {
			ip := v.Interface().(net.IP)
			switch {
			case side == Input:
				return nil, nil
			case ip != nil && len(ip) == 0:
				return nil, errEmpty
			case len(ip) == net.IPv4len:
				return encModes[side].Marshal(mappedIPv4 + ip.String())
			}
			return nil, nil
		},
		read: func(v reflect.Value, data []byte) {
			_, _, text, _ := readHead(data)
			if ip := v.Interface().(net.IP).To4(); ip != nil && bytes.HasPrefix(text, []byte(mappedIPv4)) {
				v.SetBytes(ip)
			}
		},
	},
	// CBOR's null stands for nil, so its undefined stands for a null.
	reflect.TypeFor[cbor.RawMessage](): {
		write: func(v reflect.Value, side Side) ([]byte, error) {
			raw := v.Bytes()
			switch {
			case side == Output && raw != nil && len(raw) == 0:
				return nil, errEmpty
			case len(raw) == 1 && raw[0] == undefined:
				return nil, errors.New("it is CBOR's undefined, which stands for null here: use null (0xf6)")
			case len(raw) == 1 && raw[0] == null:
				return []byte{undefined}, nil
			}
			return nil, nil
		},
		read: func(v reflect.Value, data []byte) {
			switch data[0] {
			case null:
				v.SetZero()
			case undefined:
				v.SetBytes([]byte{null})
			}
		},
	},
	reflect.TypeFor[cbor.RawTag](): {
		write: func(v reflect.Value, _ Side) ([]byte, error) {
			if tag := v.Interface().(cbor.RawTag); len(tag.Content) == 0 && !v.IsZero() {
				return nil, errors.New("it has no content, and would come back with a null: set that (0xf6)")
			}
			return nil, nil
		},
	},
	// Its text says neither that it is POSIX nor that it prefers the longest match.
	reflect.TypeFor[regexp.Regexp](): {
		same: func(was, is reflect.Value) bool {
			return was.IsZero() || reflect.DeepEqual(was.Interface(), is.Interface())
		},
		mend: "pass the text of the expression, and compile it where it is needed",
	},
	reflect.TypeFor[url.URL](): {
		same: func(was, is reflect.Value) bool {
			a, b := was.Interface().(url.URL), is.Interface().(url.URL)
			for _, u := range []*url.URL{&a, &b} { // hints for its text, which is the same
				u.RawPath, u.RawFragment = "", ""
			}
			return reflect.DeepEqual(a, b)
		},
		mend: "make it with url.Parse, or pass its parts",
	},
}

// marshal is the encoding of a value that marshals itself.
func (p *plan) marshal(side Side, v reflect.Value) (data []byte, err error) {
	err = calling(p.typ, func() error {
		data, err = encModes[side].Marshal(argument(v))
		return err
	})
	r, ok := remedies[p.typ]
	if !ok || err != nil {
		return data, err
	}
	if r.write != nil {
		if other, err := r.write(v, side); err != nil || other != nil {
			return other, err
		}
	}
	if r.same != nil {
		is := reflect.New(p.typ).Elem()
		if _, err := p.unmarshal(data, is, strict); err != nil {
			return nil, err
		}
		if !r.same(v, is) {
			return nil, fmt.Errorf("it would come back as another one, since its text does not say all of it: %s", r.mend)
		}
	}
	return data, nil
}

// unmarshal decodes the first data item into v by the library, and returns the
// rest of data.
func (p *plan) unmarshal(data []byte, v reflect.Value, fields unknown) (rest []byte, err error) {
	err = calling(p.typ, func() error {
		rest, err = decModes[fields].UnmarshalFirst(data, v.Addr().Interface())
		return err
	})
	if r := remedies[p.typ]; err == nil && r.read != nil {
		r.read(v, data[:len(data)-len(rest)])
	}
	return rest, err
}

// panicked is a panic of a type's own methods.
type panicked struct {
	typ   reflect.Type
	value any
}

func (p *panicked) Error() string {
	return fmt.Sprintf("a method by which %v marshals itself, or a part of it, panicked: %v (does it work on a zero value?)", p.typ, p.value)
}

// ofNil reports whether the panic was about a nil value.
func (p *panicked) ofNil() bool {
	err, ok := p.value.(runtime.Error)
	return ok && strings.Contains(err.Error(), "nil")
}

// calling calls do, which may call the user's methods, and turns their panics
// into errors.
func calling(t reflect.Type, do func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicked{t, value}
		}
	}()
	return do()
}

// CheckZero refuses types that marshal themselves and can never be decoded:
// decoding begins with a zero value, and their methods panic on something nil
// in it. [For] does not check that, since it means calling the methods, and
// they may rely on variables that are not set yet when a program defines its
// functions.
func (c *Codec) CheckZero() error {
	return checkZero(c.root, c.side, c.side.root(), map[*plan]bool{})
}

func checkZero(p *plan, side Side, path string, seen map[*plan]bool) error {
	if seen[p] {
		return nil
	}
	seen[p] = true
	if p.shared != nil {
		return checkZero(p.shared.root, p.shared.side, path, seen)
	}
	if p.shape == opaque && !p.watched {
		data, err := p.marshal(side, reflect.New(p.typ).Elem())
		if thrown, ok := err.(*panicked); ok && thrown.ofNil() {
			data = p.form.empty()
		}
		if data != nil {
			_, err = p.unmarshal(data, reflect.New(p.typ).Elem(), strict)
		}
		if thrown, ok := err.(*panicked); ok && thrown.ofNil() && data != nil {
			opposite := p.form.marshaling().opposite
			return refuse(p.typ, path, fmt.Sprintf("its %s panics on a zero value, with which decoding begins: %v", opposite, thrown.value),
				"let "+opposite+" make what is nil in a zero value")
		}
	}
	for step, child := range p.children {
		if err := checkZero(child, side, path+step, seen); err != nil {
			return err
		}
	}
	return nil
}

// empty is what a type of this form may write for an empty value.
func (f form) empty() []byte {
	switch f {
	case formText:
		return []byte{majorText}
	case formBinary:
		return []byte{majorBytes}
	}
	return []byte{null}
}
