package memokey

import (
	"fmt"
	"strings"
)

// Limits on names, in bytes. With them everything below the root of a store
// fits in 512 bytes, and every part between slashes in 255.
const (
	MaxName     = 160 // a function's name, all segments
	MaxSegments = 6   // of a function's name
	MaxVersion  = 64
	MaxPipeline = 64
)

// DefaultVersion is the version of a function that states none.
const DefaultVersion = "0"

// NameError says which rule a name breaks.
type NameError struct {
	Kind    string // "function name", "version" or "pipeline"
	Name    string
	Segment int    // the one that is wrong, from 1 on; 0 where it is the whole
	Reason  string // what is wrong with it
	Try     string // a similar name that is valid
}

func (e *NameError) Error() string {
	where := ""
	if e.Segment > 0 {
		where = fmt.Sprintf("segment %d, ", e.Segment)
	}
	return fmt.Sprintf("invalid %s %q: %s%s; try %q", e.Kind, e.Name, where, e.Reason, e.Try)
}

// ValidName checks the name of a function: 1 to 6 segments between slashes,
// each of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit and not
// ending with a dot, 160 bytes in all. A segment "mops1" is taken by the store
// format. The error is a *[NameError].
func ValidName(name string) error {
	segments := strings.Split(name, "/")
	wrong := func(segment int, reason string) error {
		return &NameError{Kind: "function name", Name: name, Segment: segment, Reason: reason, Try: suggestName(segments)}
	}
	for i, segment := range segments {
		if reason := segmentFault(segment, false); reason != "" {
			return wrong(i+1, reason)
		}
	}
	switch {
	case len(segments) > MaxSegments:
		return wrong(0, fmt.Sprintf("it has %d segments, and at most %d are allowed", len(segments), MaxSegments))
	case len(name) > MaxName:
		return wrong(0, fmt.Sprintf("it is %d bytes long, and at most %d are allowed", len(name), MaxName))
	}
	return nil
}

// ValidVersion checks the version of a function: one segment as in a name, but
// capital letters may be used too, 64 bytes at most.
func ValidVersion(version string) error { return validSegment("version", version, MaxVersion) }

// ValidPipeline checks a pipeline id, by the rules for versions. On file
// systems that ignore case, pipelines that differ only in case are one.
func ValidPipeline(pipeline string) error { return validSegment("pipeline", pipeline, MaxPipeline) }

func validSegment(kind, s string, limit int) error {
	reason := segmentFault(s, true)
	if reason == "" && len(s) > limit {
		reason = fmt.Sprintf("it is %d bytes long, and at most %d are allowed", len(s), limit)
	}
	if reason == "" {
		return nil
	}
	return &NameError{Kind: kind, Name: s, Reason: reason, Try: suggestSegment(s, true, limit)}
}

// segmentFault says what is wrong with one segment.
func segmentFault(s string, capitals bool) string {
	if s == "" {
		return "it is empty"
	}
	for i, r := range s {
		switch {
		case alphanumeric(r, capitals):
		case !strings.ContainsRune("._-", r):
			return fmt.Sprintf("%q has %q, and only %s are allowed", s, r, alphabet(capitals))
		case i == 0:
			return fmt.Sprintf("%q begins with %q, and not with a letter or digit", s, r)
		}
	}
	switch {
	case s[len(s)-1] == '.':
		return fmt.Sprintf("%q ends with a dot", s)
	case s == Format:
		return fmt.Sprintf("%q is taken by the store format", s)
	}
	return ""
}

func alphanumeric(r rune, capitals bool) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || capitals && 'A' <= r && r <= 'Z'
}

func alphabet(capitals bool) string {
	if capitals {
		return "letters (A-Z, a-z), digits, '.', '_' and '-'"
	}
	return "lower-case letters (a-z), digits, '.', '_' and '-'"
}

// suggestName makes a valid name of one that is not.
func suggestName(segments []string) string {
	var good []string
	left := MaxName
	for _, segment := range segments {
		if len(good) == MaxSegments || left < 1 {
			break
		}
		segment = suggestSegment(segment, false, left)
		good = append(good, segment)
		left -= len(segment) + len("/")
	}
	return strings.Join(good, "/")
}

func suggestSegment(s string, capitals bool, limit int) string {
	if !capitals {
		s = strings.ToLower(s)
	}
	s = strings.Map(func(r rune) rune {
		if alphanumeric(r, capitals) || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, s)
	s = strings.TrimLeft(s, "._-")
	s = strings.TrimRight(s[:min(len(s), limit)], "._-")
	if s == "" || s == Format {
		return "x"
	}
	return s
}
