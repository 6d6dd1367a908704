package schema

import "testing"

// A header is of anybody's making: what cannot be a graph is refused, not walked.
func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{"in":{}}`,
		`{"out":[{"kind":"struct","parts":{"omitzero field A":1}}]}`,
		`{"out":[{"kind":"struct","parts":{"omitzero field A":-1}}]}`,
		`{"in":[{"kind":"struct"}],"out":[{"kind":"struct","parts":{"elem":2}},{"kind":"int"}]}`,
	} {
		if types, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is %+v", text, types)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"in":[{"kind":"struct","parts":{"omitzero field A":1}},{"kind":"int"}]}`, `{}`)
	f.Add(`{"out":[{"kind":"ptr","parts":{"elem":1}},{"kind":"struct","parts":{"field N":0,"omitzero field V":0}}]}`,
		`{"out":[{"kind":"ptr","parts":{"elem":1}},{"kind":"struct","parts":{"field N":0}}]}`)
	f.Add(`{"out":[{"kind":"interface","parts":{"type a":0,"omitempty field ":0,"value":0,"key":0}}]}`, `{"out":[{"kind":"","parts":{"":0}}]}`)
	f.Fuzz(func(t *testing.T, one, other string) {
		a, err := Parse([]byte(one))
		if err != nil {
			return
		}
		text, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse(text); err != nil || again.Incompatible(a) != "" {
			t.Errorf("%s came back as %+v, %v", text, again, err)
		}
		b, err := Parse([]byte(other))
		if err != nil {
			return
		}
		a.Incompatible(b)
		b.Incompatible(a)
	})
}
