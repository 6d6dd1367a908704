package dynamic

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func numbers(n int) (list []any) {
	for i := range n {
		list = append(list, int64(i))
	}
	return list
}

func TestWrite(t *testing.T) {
	value := Map{
		{"Name", "O\x1b[31mslo\n"},
		{"Text", strings.Repeat("ø", 200)},
		{"Point", Map{{"X", 0.5}, {"Y", math.Inf(-1)}}},
		{"Empty", Map{}},
		{"Few", []any{int64(1), nil, true, "a"}},
		{"Many", numbers(100)},
		{"Parts", []any{Map{{"A", int64(1)}, {"B", []any{}}}, Map{{"A", int64(2)}}}},
		{"Data", make([]byte, 3)},
		{"Blob", make([]byte, 4096)},
		{"Shape", Object{"shapes.circle", Map{{"Radius", 2.0}}}},
		{"Input", Source{"dir", "ab12", 2048}},
		{"Table", Source{"value", "cd34", 2048}},
		{"Odd", Tagged{42, Simple(99)}},
		{"When", time.Date(2026, 11, 23, 14, 12, 0, 5, time.UTC)},
		{"two words", Missing{"the data ends"}},
		{int64(7), "seven"},
	}
	const want = `  Name: "O\x1b[31mslo\n"
  Text: "øøø…øøø"… (400 bytes)
  Point:
    X: 0.5
    Y: -Inf
  Empty: {}
  Few: [1, null, true, "a"]
  Many: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 88 more] (100 elements; --full shows all)
  Parts: 2 elements
    -
      A: 1
      B: []
    -
      A: 2
  Data: 0x000000 (3 bytes)
  Blob: 0x0000…0000… (4,096 bytes)
  Shape: <shapes.circle>
    Radius: 2
  Input: folder of 2.0 kB, sha256 ab12
    at s3://there
  Table: shared value of 2.0 kB, sha256 cd34
    at s3://there
  Odd: tag 42: simple(99)
  When: 2026-11-23T14:12:00.000000005Z
  "two words": (unreadable: the data ends)
  7: "seven"
`
	var text strings.Builder
	Write(t.Context(), &text, value, Options{Indent: "  ", Locate: func(Source) string { return "s3://there" }})
	got := strings.ReplaceAll(text.String(), strings.Repeat("ø", 120), "øøø…øøø")
	got = strings.ReplaceAll(got, strings.Repeat("0", 64), "0000…0000")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWriteInFull(t *testing.T) {
	value := Map{{"Many", numbers(1000)}, {"Text", strings.Repeat("x", 1000)}, {"Blob", make([]byte, 1000)}, {"Parts", []any{}}}
	for i := range 50 {
		value[3].Value = append(value[3].Value.([]any), Map{{"N", int64(i)}})
	}
	var text strings.Builder
	Write(t.Context(), &text, value, Options{Full: true})
	if strings.Contains(text.String(), "…") {
		t.Errorf("something was left out:\n%s", text.String())
	}
	for _, part := range []string{", 999]", strings.Repeat("x", 1000), strings.Repeat("00", 1000), "N: 49"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%.20q… is missing", part)
		}
	}
}

func TestShort(t *testing.T) {
	value := Map{{"City", "Oslo"}, {"Rates", []any{0.1, 0.2}}, {"Deep", Map{{"A", Object{"x.T", nil}}}}}
	if got, want := Short(value, 100), `{City: "Oslo", Rates: [0.1, 0.2], Deep: {A: <x.T> null}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := Short(value, 10), `{City: "Oslo", … 2 more}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	nested := any(int64(1))
	for range 10_000 {
		nested = []any{nested}
	}
	if got := Short(nested, 100); len(got) > 200 {
		t.Errorf("a deep value takes %d bytes", len(got))
	}
}

func TestJSON(t *testing.T) {
	for want, value := range map[string]any{
		`null`:                                       nil,
		`18446744073709551615`:                       uint64(math.MaxUint64),
		`1e+300`:                                     1e300,
		`{"$float":"NaN"}`:                           math.NaN(),
		`{"$bytes":"AQI="}`:                          []byte{1, 2},
		`{"$simple":23}`:                             Simple(23),
		`{"$absent":true}`:                           Absent{},
		`{"$unreadable":"why"}`:                      Missing{"why"},
		`{"A":1,"B":["x",true]}`:                     Map{{"A", int64(1)}, {"B", []any{"x", true}}},
		`{"$map":[[1,"x"]]}`:                         Map{{int64(1), "x"}},
		`{"$map":[["$type","x"]]}`:                   Map{{"$type", "x"}},
		`{"$type":"a.T","$value":null}`:              Object{"a.T", nil},
		`{"$tag":42,"$value":[]}`:                    Tagged{42, []any{}},
		`{"$time":"2026-11-23T14:12:00.000000005Z"}`: time.Date(2026, 11, 23, 15, 12, 0, 5, time.FixedZone("", 3600)),
		`{"$source":{"kind":"file","sha256":"ab12","size":3}}`: Source{"file", "ab12", 3},
	} {
		got, err := json.Marshal(JSON{value})
		if err != nil || string(got) != want {
			t.Errorf("%#v: %s, %v; want %s", value, got, err, want)
		}
	}
}

// However deep a value is, its text is not made of indentation.
func TestWriteOfDeepValues(t *testing.T) {
	list, tagged, mapped := any(int64(1)), any(int64(1)), any(int64(1))
	for range 10_000 {
		list, tagged, mapped = []any{list}, Tagged{42, tagged}, Map{{"A", mapped}}
	}
	for _, value := range []any{list, tagged, mapped} {
		var text strings.Builder
		Write(t.Context(), &text, value, Options{Full: true})
		if text.Len() > 100_000 || text.Len() < 1000 {
			t.Errorf("%.30s…: %d bytes", text.String(), text.Len())
		}
	}
}
