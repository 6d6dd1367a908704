package record

import "bytes"

// Start returns the header of a record of which only the beginning was read; ok
// is false where that is not all there, or not of a record of this kind. Whether
// the record is sound, only Open can tell.
func Start(kind Kind, beginning []byte) (header []byte, ok bool) {
	line, rest, _ := bytes.Cut(beginning, newline)
	if !bytes.HasPrefix(line, []byte(Format+" "+string(kind)+" ")) {
		return nil, false
	}
	header, _, ok = bytes.Cut(rest, newline)
	return header, ok
}
