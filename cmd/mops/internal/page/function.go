package page

import (
	"encoding/base64"
	"strings"
	"time"
)

// functionPage is the page of a function in one pipeline: its calls.
type functionPage struct {
	frame
	indexed
	Counted bool
	Listed  int64
	Since   time.Time
	Shown   []shownListed // for browsers without scripts
	Data    listedCalls
}

// shownListed is a call in the table without scripts.
type shownListed struct {
	Words, Memo string
	State       listedState
	Newest      time.Time
	Bytes       int64
}

// Text is the state in words.
func (s listedState) Text() string {
	switch s {
	case hasResult:
		return "result"
	case hasError:
		return "failed"
	}
	return "no result"
}

// listedCalls are the calls of a function for the script.
type listedCalls struct {
	Folder string  `json:"folder"`
	Count  int     `json:"n"`
	Keys   string  `json:"keys"` // as in columns
	States string  `json:"states"`
	Newest []int64 `json:"newest"` // seconds, less that of the call before
	Bytes  []int64 `json:"bytes"`
}

func newFunctionPage(root string, f indexed, known snapshot, now time.Time) *functionPage {
	p := &functionPage{frame: frame{Title: f.Name, Kind: "function", Root: root, Now: now, Served: true, Live: known.at.IsZero(), Function: f.Folder}, indexed: f, Counted: !known.at.IsZero(), Listed: known.listed, Since: known.at}
	p.Data = listedCalls{Folder: f.Folder, Count: len(f.Indexed), Newest: []int64{}, Bytes: []int64{}}
	var keys, states strings.Builder
	before := int64(0)
	for i, c := range f.Indexed {
		keys.WriteString(base64.RawStdEncoding.EncodeToString(c.key[:]))
		states.WriteByte(byte(c.state))
		p.Data.Newest = append(p.Data.Newest, c.newest-before)
		p.Data.Bytes = append(p.Data.Bytes, c.bytes)
		before = c.newest
		if i < mostShown {
			p.Shown = append(p.Shown, shownListed{c.words(), f.Folder + "/" + c.words() + "." + c.key.String(), c.state, time.Unix(c.newest, 0), c.bytes})
		}
	}
	p.Data.Keys, p.Data.States = keys.String(), states.String()
	return p
}
