package programs

import (
	"cmp"
	"slices"
	"strings"
)

// Change is a call that two runs of programs have in common, or that one of them has.
type Change struct {
	Before, After *Call // nil where that run did not make it
}

// Changes are in what two runs differ, of the calls that they list. A call may be in
// several of these.
type Changes struct {
	New      []Change // not made before
	Gone     []Change // not made any more
	Again    []Change // computed, though there was a result before
	Other    []Change // with another result
	Failing  []Change // failed, and did not before
	Mended   []Change // the other way round
	Slower   []Change // computed in both, and by a fifth slower; most first
	Faster   []Change
	Same     int   // calls that both made
	Unlisted int64 // hits that are only counted, and so not compared
}

// What counts as slower or faster: by so much of the time before, and by so many seconds.
const (
	slowerPart    = 0.2
	slowerSeconds = 0.1
)

// Compare compares two runs.
func Compare(before, after *Run) (c Changes) {
	was, is := byMemo(before.Calls), byMemo(after.Calls)
	for _, run := range []*Run{before, after} {
		for _, f := range run.State.Functions {
			c.Unlisted += f.Hits - min(f.Listed, f.Hits)
		}
	}
	for _, b := range ordered(after.Calls, is) {
		a := was[b.Memo]
		change := Change{a, b}
		if a == nil {
			c.New = append(c.New, change)
			if b.Outcome == "failed" {
				c.Failing = append(c.Failing, change)
			}
			continue
		}
		c.Same++
		c.compare(change)
	}
	for _, a := range ordered(before.Calls, was) {
		if is[a.Memo] == nil {
			c.Gone = append(c.Gone, Change{a, nil})
		}
	}
	longer := func(x Change) float64 { return x.After.WallSeconds - x.Before.WallSeconds }
	slices.SortStableFunc(c.Slower, func(x, y Change) int { return cmp.Compare(longer(y), longer(x)) })
	slices.SortStableFunc(c.Faster, func(x, y Change) int { return cmp.Compare(longer(x), longer(y)) })
	return c
}

func (c *Changes) compare(x Change) {
	a, b := x.Before, x.After
	succeeded := func(c *Call) bool { return c.Outcome == "hit" || c.Outcome == "computed" || c.Outcome == "awaited" }
	if b.Outcome == "computed" && succeeded(a) && (a.Run == "" || a.Run != b.Run) {
		c.Again = append(c.Again, x)
	}
	if a.Result != "" && b.Result != "" && a.Result != b.Result {
		c.Other = append(c.Other, x)
	}
	switch {
	case b.Outcome == "failed" && a.Outcome != "failed":
		c.Failing = append(c.Failing, x)
	case a.Outcome == "failed" && succeeded(b):
		c.Mended = append(c.Mended, x)
	}
	if a.Outcome == "computed" && b.Outcome == "computed" {
		switch longer := b.WallSeconds - a.WallSeconds; {
		case longer > slowerSeconds && longer > slowerPart*a.WallSeconds:
			c.Slower = append(c.Slower, x)
		case -longer > slowerSeconds && -longer > slowerPart*a.WallSeconds:
			c.Faster = append(c.Faster, x)
		}
	}
}

// byMemo has of each call of a run what says most: that it was computed, or failed,
// rather than that it was found later.
func byMemo(calls []Call) map[string]*Call {
	found := map[string]*Call{}
	for i := range calls {
		c := &calls[i]
		if known := found[c.Memo]; known == nil || known.Outcome == "hit" || known.Outcome == "failed" && c.Outcome == "computed" {
			found[c.Memo] = c
		}
	}
	return found
}

// ordered are the calls of a map in the order of a list.
func ordered(calls []Call, of map[string]*Call) (all []*Call) {
	for i := range calls {
		if of[calls[i].Memo] == &calls[i] {
			all = append(all, &calls[i])
		}
	}
	return all
}

// Name is the name of a call's function, without the version.
func (c *Call) Name() string {
	name, _, _ := strings.Cut(c.Function, "@")
	return name
}
