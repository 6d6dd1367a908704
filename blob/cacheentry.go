package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// cacheFormat is the first word of a cache entry. It is a part of the entry's
// name, too, so that programs of other versions have entries of their own.
const cacheFormat = "mopscache1"

// sealEntry makes the entry of a blob: a line with the format and the SHA-256
// of the rest; a line that describes the blob; its content. head -2 shows it to
// a person.
//
//	mopscache1 9f86d081…
//	2026-11-23T14:12:00.5Z "0x8DC" s3://bucket/mops1/default/f@0/amber-kite-river.60f3…/result
func sealEntry(uri string, content []byte, info Info) []byte {
	out := make([]byte, 0, len(cacheFormat)+2*sha256.Size+len(uri)+len(info.Version)+len(content)+64)
	out = append(append(out, cacheFormat...), ' ')
	hashAt := len(out)
	out = append(append(out, make([]byte, 2*sha256.Size)...), '\n')
	restAt := len(out)
	out = append(info.ModTime.UTC().AppendFormat(out, time.RFC3339Nano), ' ')
	out = append(strconv.AppendQuote(out, string(info.Version)), ' ')
	out = append(append(append(out, uri...), '\n'), content...)
	sum := sha256.Sum256(out[restAt:])
	hex.Encode(out[hashAt:], sum[:])
	return out
}

// openEntry takes an entry apart, after checking all of it. The returned
// content lies in data.
func openEntry(uri string, data []byte) (content []byte, info Info, err error) {
	const headLength = len(cacheFormat) + 1 + 2*sha256.Size + 1
	if len(data) < headLength {
		return nil, Info{}, fmt.Errorf("it has %d bytes, too few for its first line", len(data))
	}
	var head [headLength]byte
	copy(head[:], cacheFormat+" ")
	sum := sha256.Sum256(data[headLength:])
	hex.Encode(head[len(cacheFormat)+1:], sum[:])
	head[headLength-1] = '\n'
	if string(head[:]) != string(data[:headLength]) {
		return nil, Info{}, errors.New("it does not match its first line")
	}
	line, content, _ := bytes.Cut(data[headLength:], []byte{'\n'})
	date, rest, _ := strings.Cut(string(line), " ")
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil || rest[len(quoted):] != " "+uri {
		return nil, Info{}, fmt.Errorf("it is not that of %s", uri)
	}
	info.Size = int64(len(content))
	if info.ModTime, err = time.Parse(time.RFC3339Nano, date); err != nil {
		return nil, Info{}, err
	}
	version, err := strconv.Unquote(quoted)
	info.Version = Version(version)
	return content, info, err
}
