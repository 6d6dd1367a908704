package memokey

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Path is where the records of a call lie, relative to the root of the store:
//
//	mops1/<pipeline>/<name>@<version>/<three-words>.<hash>
//
// Pipeline, name and version must be valid.
func Path(pipeline, name, version string, key Key) string {
	var room [256]byte // one allocation: this is on the path of every hit
	path := append(room[:0], Format+"/"...)
	path = append(append(path, pipeline...), '/')
	path = append(append(path, name...), '@')
	path = append(append(path, version...), '/')
	path = append(words.AppendThree(path, key[:]), '.')
	return string(hex.AppendEncode(path, key[:]))
}

// folder is the last segment of a call's path. The words are for people.
func folder(key Key) string { return words.Three(key[:]) + "." + key.String() }

// Call is what an address of a call, or of one of its records, says.
type Call struct {
	Root     string // URI of the store, without a trailing slash; empty for a path
	Pipeline string
	Name     string
	Version  string
	Key      Key
	Rest     string // what is below the call's folder, such as "result"; empty for the folder
}

// Path is the call's path below the root; see [Path].
func (c Call) Path() string { return Path(c.Pipeline, c.Name, c.Version, c.Key) }

// URI is the call's address: the root and the path.
func (c Call) URI() string {
	if c.Root == "" {
		return c.Path()
	}
	return c.Root + "/" + c.Path()
}

// Parse is the inverse of [Path] and [Call.URI]. It takes a path, or a URI
// below any root, of a call or of one of its records.
func Parse(address string) (Call, error) {
	segments := strings.Split(strings.TrimRight(address, "/"), "/")
	err := errors.New("there is no segment " + Format)
	for i, segment := range segments {
		if segment != Format {
			continue
		}
		// A root may have such a segment too. It is not taken for the call's,
		// since no name is Format.
		var call Call
		if call, err = parsePath(segments[i+1:]); err == nil {
			call.Root = strings.Join(segments[:i], "/")
			return call, nil
		}
	}
	return Call{}, fmt.Errorf("%q is not the address of a call: %w; one looks like <root>/%s/<pipeline>/<name>@<version>/<three-words>.<hash>", address, err, Format)
}

// parsePath reads what follows the format.
func parsePath(segments []string) (c Call, err error) {
	home, rest, err := parseHome(segments)
	if err != nil {
		return c, err
	}
	c.Pipeline, c.Name, c.Version = home.Pipeline, home.Name, home.Version
	if len(rest) == 0 {
		return c, errors.New("it ends after " + segments[len(segments)-1] + ", so it is that of a function")
	}
	said, hash, _ := strings.Cut(rest[0], ".")
	if c.Key, err = ParseKey(hash); err != nil {
		return c, err
	}
	if folder(c.Key) != rest[0] {
		return c, fmt.Errorf("the words %q are not those of the hash, which are %q", said, words.Three(c.Key[:]))
	}
	c.Rest = strings.Join(rest[1:], "/")
	return c, nil
}
