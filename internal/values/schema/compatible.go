package schema

import "fmt"

// Incompatible says, as the end of a sentence, why the reader cannot use a
// result, such as "of a type without Out.Stats.Median"; "" if it can. Reader
// and writer have the same fingerprints and the same bytes of input.
//
// In the output, the writer must have had all parts that the reader has, or the
// reader would find zeros that nobody computed; parts that only the writer had
// can be left out. In the input, parts that only one of them has were zero, or
// absent.
func (reader Types) Incompatible(writer Types) string {
	for d := range Diff(reader.Out, writer.Out, "Out") {
		if d.harmsOutput() {
			return d.String()
		}
	}
	return reader.IncompatibleIn(writer)
}

// IncompatibleIn is Incompatible for a record without an output, such as an
// error.
func (reader Types) IncompatibleIn(writer Types) string {
	for d := range Diff(reader.In, writer.In, "In") {
		if d.harmsInput() {
			return d.String()
		}
	}
	return ""
}

func (d Difference) harmsInput() bool {
	return !d.marks && d.Here != "" && d.There != ""
}

func (d Difference) harmsOutput() bool {
	switch {
	case d.shared:
		// When a shared value goes on as an input, its encoding is made again, and the
		// hash of that identifies it: so nothing may get lost.
		return true
	case d.marks:
		return false
	case d.Here == "":
		return d.impl // a value of a type that the reader does not know
	case d.There == "":
		return !d.impl // the result has no value of a type that the writer did not know
	}
	return true
}

// String describes the writer's type, as the reader sees it.
func (d Difference) String() string {
	switch {
	case d.There == "":
		return "of a type without " + d.Path
	case d.Here == "":
		return "of a type with " + d.Path
	}
	return fmt.Sprintf("of a type with another %s (%s there, %s here)", d.Path, d.There, d.Here)
}
