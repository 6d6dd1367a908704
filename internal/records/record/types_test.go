package record

import "testing"

// A header that says the same in the same words is not decoded again, and one that says
// anything else is.
func TestTypesReader(t *testing.T) {
	var r TypesReader
	start := `{"memo_key":"` + sampleKey + `","run_id":"run"`
	for _, c := range []struct{ header, in, out, schema string }{
		{start + `,"schema":{"in":1},"function":"f","in":"a","out":"b"}`, "a", "b", `{"in":1}`},
		{start + `,"schema":{"in":1},"function":"f","in":"a","out":"b","run":{"in":"x"}}`, "a", "b", `{"in":1}`},
		{start + `,"schema":{"in":1},"function":"f","in":"a","out":"bc"}`, "a", "bc", `{"in":1}`},
		{start + `,"schema":{"in":2},"function":"f","in":"a","out":"b"}`, "a", "b", `{"in":2}`},
		{start + `,"code":"c","function":"f","in":"d","out":"e"}`, "d", "e", ""},
		{start + `, "out":"e2", "in":"d2"}`, "d2", "e2", ""},
	} {
		types, err := r.Of([]byte(c.header), "run")
		if err != nil || types.In != c.in || types.Out != c.out || string(types.Schema) != c.schema {
			t.Errorf("%s: %+v, %v", c.header, types, err)
		}
	}
	if _, err := r.Of([]byte("no JSON"), "run"); err == nil {
		t.Error("what is no JSON has types")
	}
}
