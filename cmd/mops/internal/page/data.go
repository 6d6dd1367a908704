package page

import (
	"encoding/base64"
	"math"
	"path"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// columns are calls as the script of a page gets them: a list for each property
// rather than an object for each call, so that 100,000 take some megabytes and are
// read at once. Words that come again and again stand in Words, and in the lists by
// their index, where 0 is the empty one. A list in which nothing stands is left out.
type columns struct {
	Words []string `json:"words"`
	Count int      `json:"n"`

	Function column[int] `json:"function,omitempty"`
	Memo     column[int] `json:"memo,omitempty"`   // index of its address, from 1, less that of the call before; see Keys
	Caller   column[int] `json:"caller,omitempty"` // the same of its caller; the program is 0
	Outcome  column[int] `json:"outcome,omitempty"`
	Error    column[int] `json:"error,omitempty"`
	Executor column[int] `json:"executor,omitempty"`
	Worker   column[int] `json:"worker,omitempty"`

	// Microseconds. Asked is since that of the call before, each other since the one
	// before it that happened; at least 1, as 0 is what did not happen.
	Asked    column[int64] `json:"asked,omitempty"`
	Queued   column[int64] `json:"queued,omitempty"`
	Pending  column[int64] `json:"pending,omitempty"`
	Starting column[int64] `json:"starting,omitempty"`
	Started  column[int64] `json:"started,omitempty"`
	Ended    column[int64] `json:"ended,omitempty"`

	Run       column[string]  `json:"run,omitempty"`
	Wall      column[int64]   `json:"wall,omitempty"` // ms, of the function
	CPU       column[int64]   `json:"cpu,omitempty"`  // ms
	Peak      column[int64]   `json:"peak,omitempty"` // KiB
	Limit     column[int64]   `json:"limit,omitempty"`
	CPUs      column[float64] `json:"cpus,omitempty"`
	GPUs      column[float64] `json:"gpus,omitempty"`
	SavedWall column[int64]   `json:"saved_wall,omitempty"` // ms
	SavedCPU  column[int64]   `json:"saved_cpu,omitempty"`

	Attempts map[int][]programs.Attempt `json:"attempts,omitempty"` // by index of the call
	Stages   map[int]string             `json:"stages,omitempty"`   // of calls under way

	// Keys are those of calls and callers, as base64 without padding, one
	// behind the other, 43 characters each; Folders has the folder of each. One
	// that is not <folder>/<words>.<key> is a word, and its key is all zeros.
	Keys    string `json:"keys"`
	Folders []int  `json:"folders"`

	word         map[string]int
	memo         map[string]int
	keys         strings.Builder
	self, caller int // of the call before
}

// column is a list of one property, one for each call.
type column[T comparable] []T

// add sets the value of call i, if it is not the zero one.
func (c *column[T]) add(i int, v T) {
	var zero T
	if v == zero {
		return
	}
	for len(*c) < i {
		*c = append(*c, zero)
	}
	*c = append(*c, v)
}

// newColumns starts empty ones.
func newColumns() *columns {
	return &columns{Words: []string{""}, Folders: []int{}, word: map[string]int{"": 0}, memo: map[string]int{"": 0}}
}

// columnsOf are calls that have ended, and calls that have not.
func columnsOf(calls []programs.Call, open []programs.Open) *columns {
	c := newColumns()
	var before programs.Call
	for _, call := range calls {
		c.add(call, before)
		before = call
	}
	for _, o := range open {
		i := c.Count
		call := programs.Call{
			Function: o.Function, Memo: o.Memo, Caller: o.Caller, Outcome: "open", Error: o.Reason,
			Asked: o.Asked, Started: o.Started, Run: o.Run, Executor: o.Executor, Worker: o.Worker,
		}
		c.add(call, before)
		before = call
		if c.Stages == nil {
			c.Stages = map[int]string{}
		}
		c.Stages[i] = o.Stage
	}
	c.Keys = c.keys.String()
	return c
}

func (c *columns) add(call, before programs.Call) {
	i := c.Count
	c.Count++
	c.Function.add(i, c.wordOf(call.Function))
	self, caller := c.memoOf(call.Memo), c.memoOf(call.Caller)
	c.Memo.add(i, self-c.self)
	c.Caller.add(i, caller-c.caller)
	c.self, c.caller = self, caller
	c.Outcome.add(i, c.wordOf(call.Outcome))
	c.Error.add(i, c.wordOf(call.Error))
	c.Executor.add(i, c.wordOf(call.Executor))
	c.Worker.add(i, c.wordOf(call.Worker))

	c.Asked.add(i, micros(call.Asked)-micros(before.Asked))
	last := micros(call.Asked)
	since := func(at float64) int64 {
		if at == 0 {
			return 0
		}
		took := max(micros(at)-last, 1)
		last += took
		return took
	}
	c.Queued.add(i, since(call.Queued))
	c.Pending.add(i, since(call.Pending))
	c.Starting.add(i, since(call.Starting))
	c.Started.add(i, since(call.Started))
	c.Ended.add(i, since(call.Ended))

	c.Run.add(i, call.Run)
	c.Wall.add(i, millis(call.WallSeconds))
	c.CPU.add(i, millis(call.CPUSeconds))
	c.Peak.add(i, call.PeakMemory>>10)
	c.Limit.add(i, call.MemoryLimit>>10)
	c.CPUs.add(i, finite(call.CPUs))
	c.GPUs.add(i, finite(call.GPUs))
	if call.Saved != nil {
		c.SavedWall.add(i, millis(call.Saved.WallSeconds))
		c.SavedCPU.add(i, millis(call.Saved.CPUSeconds))
	}
	if len(call.Attempts) > 0 {
		if c.Attempts == nil {
			c.Attempts = map[int][]programs.Attempt{}
		}
		c.Attempts[i] = call.Attempts
	}
}

// wordOf is the index of a word.
func (c *columns) wordOf(word string) int {
	word = text.Clean(word)
	i, known := c.word[word]
	if !known {
		i = len(c.Words)
		c.word[word] = i
		c.Words = append(c.Words, word)
	}
	return i
}

// memoOf is the index of a call's address.
func (c *columns) memoOf(memo string) int {
	i, known := c.memo[memo]
	if known {
		return i
	}
	i = len(c.Folders) + 1
	c.memo[memo] = i
	var key memokey.Key
	folder := memo
	if call, err := memokey.Parse(memo); err == nil && call.URI() == memo {
		key, folder = call.Key, path.Dir(memo)
	}
	c.keys.WriteString(base64.RawStdEncoding.EncodeToString(key[:]))
	c.Folders = append(c.Folders, c.wordOf(folder))
	return i
}

// micros is a time as the columns have it. What no run can have taken is 0.
func micros(seconds float64) int64 { return int64(math.Round(sane(seconds) * 1e6)) }
func millis(seconds float64) int64 { return int64(math.Round(sane(seconds) * 1e3)) }

// sane bounds what a record says: anybody may have written it.
func sane(seconds float64) float64 {
	const most = 100 * 365 * 24 * 3600
	if !(seconds >= 0 && seconds <= most) {
		return 0
	}
	return seconds
}

// finite is a number that JSON has a word for.
func finite(n float64) float64 {
	if math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
		return 0
	}
	return n
}
