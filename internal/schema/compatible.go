package schema

import "fmt"

// Incompatible says why a result is of no use to the reader: in a sentence's end,
// such as "of a type without Out.Stats.Median", or "" where it is of use. Reader
// and writer have the same fingerprints and the same bytes of input.
//
// Of the output, the writer must have had all that the reader has, or the reader
// would find zeros that nobody computed; what only the writer had can be left
// out. Of the input, what only one of them has was zero, or not there at all.
func (reader Types) Incompatible(writer Types) string {
	for d := range Diff(reader.Out, writer.Out, "Out") {
		if d.harmsOutput() {
			return d.String()
		}
	}
	return reader.IncompatibleIn(writer)
}

// IncompatibleIn is Incompatible where there is no output, as with an error.
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
		// Its encoding, whose hash it is known by, is made again from the value
		// when it goes on as an input, so nothing may get lost.
		return true
	case d.marks:
		return false
	case d.Here == "":
		return d.impl // a value of a type that the reader does not know
	case d.There == "":
		return !d.impl // one of a type that the writer did not know is not there
	}
	return true
}

// String says what the type there is, seen from here.
func (d Difference) String() string {
	switch {
	case d.There == "":
		return "of a type without " + d.Path
	case d.Here == "":
		return "of a type with " + d.Path
	}
	return fmt.Sprintf("of a type with another %s (%s there, %s here)", d.Path, d.There, d.Here)
}
