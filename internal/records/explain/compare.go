package explain

import (
	"fmt"
	"iter"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// Part is a part of what a memo key is made of.
type Part string

// The parts.
const (
	Function   Part = "function"
	Version    Part = "version"
	Calls      Part = "calls"       // name@version of the functions that it calls
	Codec      Part = "codec"       // encoding of the input
	InputType  Part = "input_type"  // fingerprint
	OutputType Part = "output_type" // fingerprint
	Input      Part = "input"
	Output     Part = "output" // of no memo key: what came of the same call twice
)

// Difference is one thing in which two calls differ. Of a part that is neither
// input nor output, Path is empty, but for Calls, where it is the function called, and for
// what the fingerprints of types leave out, where it is the field.
type Difference struct {
	Part Part `json:"part"`
	dynamic.Difference
}

// mostFields is how many differing fields of two inputs are told apart.
const mostFields = 1000

// Compare returns in what two calls differ, what weighs most first. Pipelines
// are no part of a memo key.
func Compare(here, there Call) []Difference {
	found := []Difference{}
	add := func(part Part, path string, here, there any) {
		found = append(found, Difference{part, dynamic.Difference{Path: path, Here: dynamic.JSON{Value: here}, There: dynamic.JSON{Value: there}}})
	}
	compare := func(part Part, here, there string) {
		if here != there {
			add(part, "", here, there)
		}
	}
	compare(Function, here.Function, there.Function)
	compare(Version, here.Version, there.Version)
	compareCallees(here.Calls, there.Calls, func(name string, here, there any) { add(Calls, name, here, there) })
	compare(Codec, here.Codec, there.Codec)
	for d := range typesOf(here, InputType).differences(typesOf(there, InputType), "In") {
		add(InputType, d.Path, kind(d.Here), kind(d.There))
	}
	for d := range typesOf(here, OutputType).differences(typesOf(there, OutputType), "Out") {
		add(OutputType, d.Path, kind(d.Here), kind(d.There))
	}
	if here.HasInput && there.HasInput {
		for _, d := range dynamic.Diff(here.Input, there.Input, "In", mostFields) {
			found = append(found, Difference{Input, d})
		}
	}
	return found
}

// typeOf is what the records of a call say of one of its types.
type typeOf struct {
	fingerprint string
	leftOut     *schema.Graph // what the fingerprint leaves out; nil if that is not known
	whole       schema.Graph  // empty if that is not known
}

func typesOf(c Call, part Part) typeOf {
	pick := func(t *schema.Types) *schema.Graph {
		switch {
		case t == nil:
			return nil
		case part == InputType:
			return &t.In
		}
		return &t.Out
	}
	t := typeOf{fingerprint: c.In, leftOut: pick(c.Schema)}
	if part == OutputType {
		t.fingerprint = c.Out
	}
	if whole := pick(c.Types); whole != nil {
		t.whole = *whole
	}
	return t
}

// differences yields the fields in which two types differ, or, with an empty
// path, that their fingerprints do, if nobody knows the fields.
func (here typeOf) differences(there typeOf, root string) iter.Seq[schema.Difference] {
	return func(yield func(schema.Difference) bool) {
		if here.fingerprint != there.fingerprint {
			found := false
			if len(here.whole) > 0 && len(there.whole) > 0 {
				for d := range schema.DiffWhole(here.whole, there.whole, root) {
					found = true
					if !yield(d) {
						return
					}
				}
			}
			if found || !yield(schema.Difference{Here: here.fingerprint, There: there.fingerprint}) {
				return
			}
		}
		if here.leftOut != nil && there.leftOut != nil {
			schema.Diff(*here.leftOut, *there.leftOut, root)(yield)
		}
	}
}

// kind is what a type is in a place, or that it has none there.
func kind(of string) any {
	if of == "" {
		return dynamic.Absent{}
	}
	return of
}

// compareCallees compares lists of name@version, of which each name is there once.
func compareCallees(here, there []string, add func(name string, here, there any)) {
	versions := map[string]string{}
	for _, callee := range there {
		name, version, _ := strings.Cut(callee, "@")
		versions[name] = version
	}
	for _, callee := range here {
		name, version, _ := strings.Cut(callee, "@")
		other, ok := versions[name]
		delete(versions, name)
		switch {
		case !ok:
			add(name, version, dynamic.Absent{})
		case other != version:
			add(name, version, other)
		}
	}
	for _, callee := range there {
		name, version, _ := strings.Cut(callee, "@")
		if _, left := versions[name]; left {
			add(name, dynamic.Absent{}, version)
		}
	}
}

// String says the difference in a line: "In.Rate: 0.1 here, 0.2 there".
func (d Difference) String() string { return d.Between("here", "there") }

// Between is String with other words for the two calls.
func (d Difference) Between(here, there string) string {
	text := fmt.Sprintf("%s: %s %s, %s %s", d.Subject(), d.show(d.Here.Value), here, d.show(d.There.Value), there)
	if d.Note != "" {
		text += " (" + d.Note + ")"
	}
	return text
}

// Subject names what differs.
func (d Difference) Subject() string {
	switch d.Part {
	case Input, Output:
		return d.Path
	case Calls:
		return "the version of " + d.Path + ", which it calls"
	case InputType, OutputType:
		if d.Path != "" {
			return "the type of " + d.Path
		}
		return map[Part]string{InputType: "the type of the input", OutputType: "the type of the output"}[d.Part]
	}
	return "the " + string(d.Part)
}

// show is a value in a few words; of a fingerprint the first digits do.
func (d Difference) show(value any) string {
	const few, digits = 60, 12
	text, isText := value.(string)
	switch {
	case d.Part == Input || d.Part == Output || !isText:
		return dynamic.Short(value, few)
	case d.Path == "" && (d.Part == InputType || d.Part == OutputType):
		return text[:min(len(text), digits)]
	}
	return text
}
