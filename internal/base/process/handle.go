package process

import (
	"strconv"
	"strings"
)

// Handle names a call in a process that takes one after another.
type Handle struct {
	Identity
	Call int // from 1; 0 if the process is there for one call only
}

// String returns the handle as ParseHandle reads it: the identity, then "#" and
// the number of the call.
func (h Handle) String() string {
	if h.Call == 0 {
		return h.Identity.String()
	}
	return h.Identity.String() + "#" + strconv.Itoa(h.Call)
}

// ParseHandle reads what String wrote.
func ParseHandle(s string) (h Handle, err error) {
	if at := strings.LastIndexByte(s, '#'); at >= 0 {
		if call, err := strconv.Atoi(s[at+1:]); err == nil && call > 0 {
			h.Call, s = call, s[:at]
		}
	}
	h.Identity, err = Parse(s)
	return h, err
}
