package record

import "bytes"

// Start returns the header from the beginning of a record; ok is false if the
// header is not complete, or if the record is not of this kind. Only Open can
// tell whether the record is sound.
func Start(kind Kind, beginning []byte) (header []byte, ok bool) {
	line, rest, _ := bytes.Cut(beginning, newline)
	if !bytes.HasPrefix(line, []byte(Format+" "+string(kind)+" ")) {
		return nil, false
	}
	header, _, ok = bytes.Cut(rest, newline)
	return header, ok
}
