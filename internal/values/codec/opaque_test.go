package codec

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// The methods by which well-known types marshal themselves lose something of
// some values. Each value comes back as it was, or is refused with the reason.
func TestKnownTypesComeBackOrAreRefused(t *testing.T) {
	link := func(text string) url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return *u
	}
	longest := regexp.MustCompile("a|ab")
	longest.Longest()
	for _, test := range []struct {
		v       any
		refused string // "" for a value that comes back
	}{
		{net.IP(nil), ""},
		{net.IP{}, "leave it nil"},
		{net.IP{192, 0, 2, 1}, ""},
		{net.ParseIP("192.0.2.1"), ""},
		{net.ParseIP("2001:db8::ffff:1"), ""},
		{net.ParseIP("::ffff:0:102:304"), ""}, // begins like an IPv4 address in IPv6, and is not one
		{net.IP{1, 2, 3}, "invalid IP address"},
		{net.IPMask{255, 0, 0, 0}, ""},
		{cbor.RawMessage(nil), ""},
		{cbor.RawMessage{}, "leave it nil"},
		{cbor.RawMessage{null}, ""},
		{cbor.RawMessage{undefined}, "use null"},
		{cbor.RawMessage{0x81, null}, ""},
		{cbor.RawTag{}, ""},
		{cbor.RawTag{Number: 5, Content: cbor.RawMessage{1}}, ""},
		{cbor.RawTag{Number: 5}, "no content"},
		{cbor.ByteString("x"), ""},
		{cbor.ByteString(""), ""},
		{*regexp.MustCompile("a|ab"), ""},
		{*longest, "compile it where it is needed"},
		{*regexp.MustCompilePOSIX("a|ab"), "compile it where it is needed"},
		{link("https://u:p@example.org/a%2Fb?q=1#f%20g"), ""},
		{link("file:///x"), ""},
		{link("mailto:a@example.org"), ""},
		{url.URL{}, ""},
		{url.URL{Scheme: "https", Host: "example.org", Path: "a"}, "url.Parse"},
		{url.URL{Path: "/a b", RawPath: "/a%20b"}, ""},
		{json.RawMessage(nil), ""},
		{json.RawMessage{}, ""},
		{json.Number("1.50"), ""},
		{netip.Addr{}, ""},
		{netip.MustParseAddr("::ffff:192.0.2.1"), ""},
		{netip.Prefix{}, ""},
		{netip.AddrPort{}, ""},
		{(*big.Int)(nil), ""},
		{slog.Level(-3), ""},
		{*rand.NewPCG(1, 2), ""},
		{*rand.NewChaCha8([32]byte{1}), ""},
	} {
		for _, wrap := range []func(reflect.Value) reflect.Value{
			func(v reflect.Value) reflect.Value { return v },
			func(v reflect.Value) reflect.Value {
				return reflect.Append(reflect.MakeSlice(reflect.SliceOf(v.Type()), 0, 1), v)
			},
			func(v reflect.Value) reflect.Value {
				s := reflect.New(reflect.StructOf([]reflect.StructField{
					{Name: "F", Type: reflect.TypeFor[float64]()}, {Name: "V", Type: v.Type(), Tag: `cbor:",omitzero"`},
				})).Elem()
				s.Field(1).Set(v)
				return s
			},
		} {
			v := wrap(reflect.ValueOf(test.v))
			c := codecFor(t, v.Type(), Output, nil)
			data, err := c.Encode(t.Context(), v)
			if test.refused != "" {
				if err == nil || !strings.HasPrefix(err.Error(), "Out") || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("%#v is %x, %v; want %q", v, data, err, test.refused)
				}
				continue
			}
			got := reflect.New(v.Type())
			if err == nil {
				err = decoded(t, c, data, got)
			}
			if known, ok := v.Interface().(url.URL); ok { // a hint, without which the URL is the same
				known.RawPath, v = got.Interface().(*url.URL).RawPath, reflect.ValueOf(known)
			}
			if _, ok := test.v.(url.URL); err != nil || !ok && !reflect.DeepEqual(got.Elem().Interface(), v.Interface()) {
				t.Errorf("%#v is %x and came back as %#v, %v", v, data, got.Elem(), err)
			}
		}
	}
}

// Texts of the first release are read as they were then.
func TestTextsOfTheFirstReleaseAreRead(t *testing.T) {
	var ip net.IP
	c := codecFor(t, reflect.TypeFor[net.IP](), Output, nil)
	if err := c.Decode(t.Context(), []byte("\x69192.0.2.1"), reflect.ValueOf(&ip)); err != nil || !reflect.DeepEqual(ip, net.ParseIP("192.0.2.1")) {
		t.Errorf("%v in %d bytes, %v", ip, len(ip), err)
	}
	if data := encoded(t, Output, nil, net.ParseIP("192.0.2.1")); string(data) != "\x69192.0.2.1" {
		t.Errorf("16 bytes are %q", data)
	}
	for _, same := range []net.IP{{192, 0, 2, 1}, net.ParseIP("192.0.2.1")} { // in inputs
		if data := encoded(t, Input, nil, same); string(data) != "\x69192.0.2.1" {
			t.Errorf("%d bytes are %q", len(same), data)
		}
	}
	if data := encoded(t, Input, nil, cbor.RawMessage(nil)); string(data) != "\xf6" {
		t.Errorf("nil is %x", data)
	}
}

// -0 in a struct is zero to reflect, and so to omitzero; it comes back all the same.
func TestOmitzeroKeepsTheSignOfWhatMarshalsItself(t *testing.T) {
	type omitting struct {
		R rawFloat    `cbor:",omitzero"`
		A [1]rawFloat `cbor:",omitzero"`
	}
	minus := rawFloat{negativeZero()}
	if got := returned(t, Output, nil, omitting{minus, [1]rawFloat{minus}}); 1/got.R.f > 0 || 1/got.A[0].f > 0 {
		t.Errorf("signs: %v", got)
	}
}

func negativeZero() float64 { zero := 0.0; return -zero }

// Types whose methods fail on a zero value can be written and never read, since
// decoding begins with one. CheckZero finds them when the program starts. If a
// method fails for some values only, the error is that value's.
func TestTypesThatPanicOnAZeroValue(t *testing.T) {
	for _, test := range []struct {
		typ  reflect.Type
		path string
	}{
		{reflect.TypeFor[struct{ L []wrapsNil }](), "In.L[]"},
		{reflect.TypeFor[map[string]*panicsTwice](), "In[]"},
		{reflect.TypeFor[apart[struct{ X wrapsNil }]](), "In.X"},
	} {
		c := codecFor(t, test.typ, Input, sharing(t)) // which calls no methods
		err := c.CheckZero()
		if refused, ok := errors.AsType[*TypeError](err); !ok || refused.Path != test.path || !strings.Contains(refused.Reason, "zero value") {
			t.Errorf("%v: %v", test.typ, err)
		}
	}
	for _, v := range []any{tally{"a": 1}, firstByte{0}, struct{ X []firstByte }{[]firstByte{{1}, {0}}}} {
		c := codecFor(t, reflect.TypeOf(v), Output, nil)
		if err := c.CheckZero(); err != nil {
			t.Errorf("%T works for other values: %v", v, err)
		}
		_, err := c.Encode(t.Context(), reflect.ValueOf(v))
		if e, ok := errors.AsType[*ValueError](err); !ok || !strings.Contains(err.Error(), "panicked") || reflect.TypeOf(v).Kind() == reflect.Struct && reflect.TypeOf(v).Name() == "" && e.Path != "Out.X[1]" {
			t.Errorf("%T: %v", v, err)
		}
	}
	back(t, firstByte{1})
}

type (
	wrapsNil    struct{ n *big.Int } // its zero value can be written
	panicsTwice struct{ n *int }
	tally       map[string]int
	firstByte   struct{ n byte } // 0 is written as nothing
)

func (w wrapsNil) MarshalText() ([]byte, error)  { return w.n.MarshalText() }
func (w *wrapsNil) UnmarshalText(b []byte) error { return w.n.UnmarshalText(b) }

func (p panicsTwice) MarshalBinary() ([]byte, error)  { return []byte{byte(*p.n)}, nil }
func (p *panicsTwice) UnmarshalBinary(b []byte) error { *p.n = len(b); return nil }

func (m tally) MarshalText() (text []byte, err error) {
	for name := range m {
		text = append(text, name...)
	}
	return text, nil
}

func (m tally) UnmarshalText(b []byte) error {
	if len(b) > 0 {
		m[string(b)] = 1
	}
	return nil
}

func (f firstByte) MarshalBinary() ([]byte, error)  { return []byte{f.n}[:min(f.n, 1)], nil }
func (f *firstByte) UnmarshalBinary(b []byte) error { f.n = b[0]; return nil }
