package memokey

import (
	"errors"
	"fmt"
	"strings"
)

// Home is where the calls of one version of a function lie.
type Home struct {
	Root     string // URI of the store, without a trailing slash
	Pipeline string
	Name     string
	Version  string
}

// String is the home's address, <root>/mops1/<pipeline>/<name>@<version>.
func (h Home) String() string {
	return h.Root + "/" + Format + "/" + h.Pipeline + "/" + h.Name + "@" + h.Version
}

// ParseHome is the inverse of [Home.String].
func ParseHome(address string) (Home, error) {
	bare, query, _ := strings.Cut(address, "?")
	if query != "" && !strings.Contains(query, "/"+Format+"/") { // of the root, at the end as in a URL
		query = "?" + query
	} else {
		bare, query = address, ""
	}
	segments := strings.Split(strings.TrimRight(bare, "/"), "/")
	err := errors.New("there is no segment " + Format)
	for i, segment := range segments {
		if segment != Format {
			continue
		}
		// A root may have such a segment too; see Parse.
		home, rest, wrong := parseHome(segments[i+1:])
		home.Root = strings.Join(segments[:i], "/")
		switch {
		case wrong != nil:
			err = wrong
		case len(rest) > 0:
			err = fmt.Errorf("that of the function ends after %s", segments[len(segments)-len(rest)-1])
		case !strings.Contains(home.Root, "://"):
			err = errors.New("what stands before " + Format + " is not the URI of a root")
		default:
			home.Root += query
			return home, nil
		}
	}
	return Home{}, fmt.Errorf("%q is not the address of a function: %w; one looks like file:///data/mops/%s/<pipeline>/<name>@<version>", withoutSecrets(address), err, Format)
}

// withoutSecrets leaves out of a URI what may be a password: the user, and what
// was asked of the root.
func withoutSecrets(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 && path != "" {
		rest = "…" + rest[at:]
	}
	if root, query, ok := strings.Cut(rest, "?"); ok {
		rest = root + "?…"
		if at := strings.LastIndex(query, "/"+Format); at >= 0 {
			rest += query[at:]
		}
	}
	return scheme + "://" + rest
}

// parseHome reads what follows the format, and returns what follows the version.
func parseHome(segments []string) (h Home, rest []string, err error) {
	if len(segments) == 0 {
		return h, nil, errors.New("it ends after " + Format)
	}
	h.Pipeline = segments[0]
	if err := ValidPipeline(h.Pipeline); err != nil {
		return h, nil, err
	}
	last := 1
	for last < len(segments) && !strings.Contains(segments[last], "@") {
		last++
	}
	if last == len(segments) {
		return h, nil, errors.New("no segment has the form <name>@<version>")
	}
	name, version, _ := strings.Cut(segments[last], "@")
	h.Name, h.Version = strings.Join(append(segments[1:last:last], name), "/"), version
	if err := ValidName(h.Name); err != nil {
		return h, nil, err
	}
	return h, segments[last+1:], ValidVersion(h.Version)
}
