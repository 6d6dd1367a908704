package record

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func sealed(t testing.TB, s sample) []byte {
	t.Helper()
	data, err := Seal(s.kind, s.header, s.body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTruncatedAtEveryLength(t *testing.T) {
	for _, s := range samples() {
		data := sealed(t, s)
		for n := range len(data) {
			if _, err := Open(s.kind, data[:n]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s cut to %d of %d bytes: %v, want ErrDamaged", s.kind, n, len(data), err)
			}
		}
		if _, err := Open(s.kind, append(slices.Clone(data), 0)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s with a byte more: %v, want ErrDamaged", s.kind, err)
		}
	}
}

func TestEveryBitFlipped(t *testing.T) {
	for _, s := range samples() {
		data := sealed(t, s)
		for bit := range 8 * len(data) {
			flipped := slices.Clone(data)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, err := Open(s.kind, flipped); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s with bit %d of byte %d (%q) flipped: %v, want ErrDamaged", s.kind, bit%8, bit/8, data[bit/8], err)
			}
		}
	}
}

func TestGarbageIsDamaged(t *testing.T) {
	good := string(sealed(t, samples()[0]))
	line, rest, _ := strings.Cut(good, "\n")
	words := strings.Fields(line)
	for _, data := range []string{
		"", "\n", "mops1", "mops1 result\n", "{}", "\x00\x00\x00\x00", strings.Repeat("x", 1000), "mops1 result  \n",
		"mops2 result 00 0\n", // of another version, but not even in shape
		fmt.Sprintf("mops2 result %s %s\n%s!", words[2], words[3], rest[1:]),             // of another version, but damaged
		fmt.Sprintf("mops1 result %s %s\n%s", strings.ToUpper(words[2]), words[3], rest), // not what Seal writes
		fmt.Sprintf("mops1 result %s 0%s\n%s", words[2], words[3], rest),
		fmt.Sprintf("mops1 result %s +%s\n%s", words[2], words[3], rest),
		fmt.Sprintf("mops1 result %s %s \n%s", words[2], words[3], rest),
		fmt.Sprintf("mops1  result %s %s\n%s", words[2], words[3], rest),
		fmt.Sprintf("mops3 result %s %s\n%s", words[2], words[3], rest), // one bit from mops1: never to be a version
	} {
		if _, err := Open(KindResult, []byte(data)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%.60q: %v, want ErrDamaged", data, err)
		}
	}
}

// An intact record that is not ours differs from a damaged one, or an old
// program would replace the records of a new one.
func TestIntactButNotOurs(t *testing.T) {
	result := sealed(t, samples()[0])
	for name, data := range map[string][]byte{
		"mops2":        bytes.Replace(result, []byte("mops1"), []byte("mops2"), 1),
		"mops4":        bytes.Replace(result, []byte("mops1"), []byte("mops4"), 1),
		"mops10":       bytes.Replace(result, []byte("mops1"), []byte("mops10"), 1),
		"other kind":   sealed(t, samples()[3]),
		"unknown kind": bytes.Replace(result, []byte("result"), []byte("verdict"), 1),
	} {
		_, err := Open(KindResult, data)
		format, ok := errors.AsType[*FormatError](err)
		if !ok || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want a *FormatError", name, err)
			continue
		}
		if !strings.Contains(format.Error(), "update this program") {
			t.Errorf("%s: %q does not say what to do", name, format)
		}
	}
}

// The kinds and the formats to come must stay further than a bit apart.
func TestKindsAreFarApart(t *testing.T) {
	kinds := []Kind{KindResult, KindInvocation, KindError, KindLease, KindSession}
	for i, a := range kinds {
		for _, b := range kinds[:i] {
			if flips(string(a), string(b)) < 2 {
				t.Errorf("%s and %s are one flipped bit apart", a, b)
			}
		}
		if !word(string(a)) {
			t.Errorf("%s is no word", a)
		}
	}
}

func TestIntactWithoutHeader(t *testing.T) {
	data := rawSeal("no newline here")
	if _, err := Open(KindResult, data); errors.Is(err, ErrDamaged) || err == nil {
		t.Errorf("a header that does not end: %v, want a *FormatError", err)
	}
	r, err := Open(KindResult, rawSeal("not json\n"))
	if err != nil {
		t.Fatal(err)
	}
	var h ResultHeader
	if _, ok := errors.AsType[*FormatError](r.Into(&h)); !ok {
		t.Error("a header that is no JSON: no *FormatError")
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range samples() {
		f.Add(sealed(f, s))
	}
	f.Add([]byte("mops1 result "))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Open(KindResult, data)
		if err != nil {
			_, format := errors.AsType[*FormatError](err)
			if format == errors.Is(err, ErrDamaged) {
				t.Fatalf("%v is neither damage nor format, or both", err)
			}
			return
		}
		// Open accepts only records that sealing the same parts would write.
		rest := string(r.Header) + "\n" + string(r.Body)
		if !bytes.Equal(rawSeal(rest), data) {
			t.Fatalf("accepted %q", data)
		}
		Check(r.Header, sampleKey)
	})
}
