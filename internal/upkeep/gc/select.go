package gc

import (
	"fmt"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Selection chooses calls: those that match everything that is set. The zero
// value chooses none.
type Selection struct {
	Every    bool          // all calls, even if all else is empty
	Older    time.Duration // all its records but the lease were written longer ago
	Pipeline string
	Function string // its name
	Version  string // of the function
}

// Empty reports whether nothing is chosen.
func (s Selection) Empty() bool { return s == Selection{} }

// SetFunction sets function and version from "name" or "name@version".
func (s *Selection) SetFunction(text string) error {
	name, version, both := strings.Cut(text, "@")
	if err := memokey.ValidName(name); err != nil {
		return err
	}
	if both {
		if err := memokey.ValidVersion(version); err != nil {
			return err
		}
	}
	s.Function, s.Version = name, version
	return nil
}

// matches reports whether a call is chosen; now is the store's time.
func (s Selection) matches(c *call, now time.Time) bool {
	return !s.Empty() &&
		(s.Pipeline == "" || s.Pipeline == c.Pipeline) &&
		(s.Function == "" || s.Function == c.Name) &&
		(s.Version == "" || s.Version == c.Version) &&
		(s.Older == 0 || now.Sub(c.written) > s.Older)
}

// prefix is the prefix of all chosen calls.
func (s Selection) prefix() string {
	switch {
	case s.Pipeline == "":
		return memokey.Format + "/"
	case s.Function == "":
		return fmt.Sprintf("%s/%s/", memokey.Format, s.Pipeline)
	case s.Version == "":
		return fmt.Sprintf("%s/%s/%s@", memokey.Format, s.Pipeline, s.Function)
	}
	return fmt.Sprintf("%s/%s/%s@%s/", memokey.Format, s.Pipeline, s.Function, s.Version)
}
