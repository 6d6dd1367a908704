package record

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// rawSeal puts a right first line over any bytes.
func rawSeal(rest string) []byte {
	return fmt.Appendf(nil, "mops1 result %x %d\n%s", sha256.Sum256([]byte(rest)), len(rest), rest)
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, header string
		runID        string
		ok, foreign  bool
	}{
		{"as written", `{"memo_key":"k1","run_id":"r1","function":"f"}`, "r1", true, false},
		{"no run", `{"memo_key":"k1","run_id":"","function":"f"}`, "", true, false},
		{"other order", `{"function":"f", "run_id":"r1", "memo_key":"k1"}`, "r1", true, false},
		{"escapes", `{"memo_key":"k1","run_id":"r\u0031"}`, "r1", true, false},
		{"other call", `{"memo_key":"k2","run_id":"r1"}`, "", false, true},
		{"longer key", `{"memo_key":"k11","run_id":"r1"}`, "", false, true},
		{"shorter key", `{"memo_key":"k","run_id":"r1"}`, "", false, true},
		{"key elsewhere", `{"run_id":"k1"}`, "", false, true},
		{"no JSON", `{"memo_key":"k1","run_id":"r1`, "", false, false},
		{"empty", ``, "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := Check([]byte(c.header), "k1")
			if id != c.runID || (err == nil) != c.ok {
				t.Errorf("Check: %q, %v; want %q", id, err, c.runID)
			}
			if _, foreign := errors.AsType[*ForeignError](err); foreign != c.foreign {
				t.Errorf("Check: %v; foreign %v, want %v", err, foreign, c.foreign)
			}
			if _, format := errors.AsType[*FormatError](err); format == (c.ok || c.foreign) {
				t.Errorf("Check: %v; format error %v", err, format)
			}
		})
	}
	if _, ok := scan([]byte(`{"memo_key":"a","run_id":"x","b":"c","run_id":"r"}`), `a","run_id":"x","b":"c`); ok {
		t.Error("a memo key with quotes reads past the field")
	}
}

// The scan allocates the run id and nothing else.
func TestCheckAllocates(t *testing.T) {
	r, err := Open(KindResult, sealed(t, samples()[0]))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { Check(r.Header, sampleKey) }); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}

func BenchmarkHit(b *testing.B) {
	data := sealed(b, samples()[0])
	b.ReportAllocs()
	for b.Loop() {
		r, err := Open(KindResult, data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Check(r.Header, sampleKey); err != nil {
			b.Fatal("not ours")
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	s := samples()[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Seal(s.kind, s.header, s.body); err != nil {
			b.Fatal(err)
		}
	}
}

// HasSchema accepts exactly the spelling that Seal writes.
func TestHasSchema(t *testing.T) {
	schema := `{"out":[{"kind":"struct","parts":{"omitzero field <A&B>":1}},{"kind":"int"}]}`
	head := Head{MemoKey: sampleKey, RunID: "run", Schema: []byte(schema)}
	data, err := Seal(KindResult, ResultHeader{RunHeader: RunHeader{Head: head}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(KindResult, data)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"memo_key":"` + sampleKey + `","run_id":"run","schema":` + schema + `,"function":`
	if !strings.HasPrefix(string(r.Header), want) {
		t.Errorf("header %s, want %s…", r.Header, want)
	}
	if found, err := Schema(r.Header); err != nil || string(found) != schema {
		t.Errorf("schema %s, %v", found, err)
	}
	for _, c := range []struct {
		header, run, schema string
		want                bool
	}{
		{string(r.Header), "run", schema, true},
		{string(r.Header), "run", "{}", false},
		{string(r.Header), "ru", schema, false},
		{strings.Replace(want, schema, "{}", 1), "run", "{}", true},
		{strings.Replace(want, schema, "{}", 1), "run", schema, false},
		{`{"memo_key":"` + sampleKey + `","run_id":"run","function":"f"}`, "run", "{}", false},
		{`{"memo_key":"` + sampleKey + `"}`, "run", "{}", false},
		{"{}", "run", "{}", false},
		{"", "", "", false},
	} {
		if got := HasSchema([]byte(c.header), c.run, []byte(c.schema)); got != c.want {
			t.Errorf("HasSchema(%s, %s, %s) = %v", c.header, c.run, c.schema, got)
		}
	}
}

func TestOrigin(t *testing.T) {
	start := `{"memo_key":"` + sampleKey + `","run_id":"run"`
	train := Origin{Code: "3cd7", Func: "example.org/forecast.train"}
	for _, c := range []struct {
		name, header string
		want         Origin
		scanned      bool // else it is decoded
	}{
		{"of the first release", start + `,"schema":{},"function":"f"}`, Origin{}, true},
		{"both", start + `,"code":"3cd7","func":"example.org/forecast.train","schema":{}}`, train, true},
		{"code alone", start + `,"code":"3cd7","function":"f"}`, Origin{Code: "3cd7"}, true},
		{"callees", start + `,"callees":"f@0=1 g@1=2","func":"p.f","function":"f"}`, Origin{Callees: "f@0=1 g@1=2", Func: "p.f"}, true},
		{"func alone", start + `,"func":"example.org/forecast.train","function":"f"}`, Origin{Func: train.Func}, true},
		{"another spelling", start + `,"code":"3\u0063d7","func":"example.org/forecast.train"}`, train, false},
		{"another order", start + `, "func":"example.org/forecast.train", "code":"3cd7"}`, train, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := []byte(c.header)
			if got, err := OriginOf(header, "run"); got != c.want || err != nil {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
			if got := HasOrigin(header, "run", c.want); got != c.scanned {
				t.Errorf("scanned: %v", got)
			}
			if HasOrigin(header, "run", Origin{Code: "3cd", Func: train.Func}) {
				t.Error("it is taken for another's")
			}
			if n := testing.AllocsPerRun(100, func() { HasOrigin(header, "run", c.want) }); n > 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	for _, header := range []string{"", "{", start, start + `,"code":"`} {
		if o, err := OriginOf([]byte(header), "run"); err == nil {
			t.Errorf("%s: %+v and no error", header, o)
		}
	}
}

// A schema is found behind an origin, too.
func TestSchemaBehindOrigin(t *testing.T) {
	head := Head{MemoKey: sampleKey, RunID: "run", Origin: Origin{Code: "3cd7", Func: "p.f"}, Schema: []byte(`{"a":1}`)}
	data, err := Seal(KindResult, ResultHeader{RunHeader: RunHeader{Head: head}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(KindResult, data)
	if err != nil {
		t.Fatal(err)
	}
	if !HasSchema(r.Header, "run", []byte(`{"a":1}`)) || HasSchema(r.Header, "run", []byte(`{"a":2}`)) {
		t.Errorf("%s", r.Header)
	}
}
