package dynamic

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDiff(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 12, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		here, there any
		want        []string // path: here / there
	}{
		"alike":               {Map{{"A", int64(1)}}, Map{{"A", int64(1)}}, nil},
		"order of fields":     {Map{{"A", nil}, {"B", true}}, Map{{"B", true}, {"A", nil}}, nil},
		"a field":             {Map{{"Rate", 0.1}, {"City", "Oslo"}}, Map{{"Rate", 0.2}, {"City", "Oslo"}}, []string{"In.Rate: 0.1 / 0.2"}},
		"a field below":       {Map{{"P", Map{{"X", int64(1)}}}}, Map{{"P", Map{{"X", int64(2)}}}}, []string{"In.P.X: 1 / 2"}},
		"only here":           {Map{{"A", int64(1)}, {"B", int64(2)}}, Map{{"A", int64(1)}}, []string{"In.B: 2 / (absent)"}},
		"only there":          {Map{}, Map{{"A", "x"}}, []string{`In.A: (absent) / "x"`}},
		"both ways":           {Map{{"A", int64(1)}}, Map{{"B", int64(1)}}, []string{"In.A: 1 / (absent)", "In.B: (absent) / 1"}},
		"another kind":        {Map{{"A", int64(1)}}, Map{{"A", "1"}}, []string{`In.A: 1 / "1"`}},
		"struct or number":    {Map{{"A", Map{}}}, Map{{"A", int64(1)}}, []string{"In.A: {} / 1"}},
		"null or empty":       {Map{{"A", nil}}, Map{{"A", []any{}}}, []string{"In.A: null / []"}},
		"a list":              {[]any{int64(1), int64(2), int64(3)}, []any{int64(1), int64(5), int64(3)}, []string{"In[1]: 2 / 5"}},
		"a longer list":       {[]any{int64(1), int64(2)}, []any{int64(1), int64(3), int64(2)}, []string{"In: [1, 2] / [1, 3, 2]"}},
		"keys":                {Map{{"a b", int64(1)}, {int64(3), true}}, Map{{"a b", int64(2)}, {int64(3), false}}, []string{`In["a b"]: 1 / 2`, "In[3]: true / false"}},
		"zeros":               {[]any{0.0}, []any{math.Copysign(0, -1)}, []string{"In[0]: 0 / -0"}},
		"NaN is itself":       {math.NaN(), math.NaN(), nil},
		"times":               {now, now.Add(1), []string{"In: 2026-11-23T14:12:00Z / 2026-11-23T14:12:00.000000001Z"}},
		"one instant":         {now, now.In(time.FixedZone("x", 3600)), nil},
		"an interface":        {Object{"a.T", Map{{"X", int64(1)}}}, Object{"a.T", Map{{"X", int64(2)}}}, []string{"In(a.T).X: 1 / 2"}},
		"another type":        {Object{"a.T", int64(1)}, Object{"a.U", int64(1)}, []string{"In: <a.T> 1 / <a.U> 1"}},
		"sources":             {Source{"file", "aa", 1}, Source{"file", "bb", 1}, []string{"In: file of 1 byte, sha256 aa / file of 1 byte, sha256 bb"}},
		"tagged":              {Tagged{42, "a"}, Tagged{42, "b"}, []string{`In: "a" / "b"`}},
		"a path with escapes": {Map{{"\x1b[2J", int64(1)}}, Map{{"\x1b[2J", int64(2)}}, []string{`In["\x1b[2J"]: 1 / 2`}},
	} {
		var got []string
		for _, d := range Diff(c.here, c.there, "In", 100) {
			got = append(got, d.Path+": "+Short(d.Here.Value, 100)+" / "+Short(d.There.Value, 100))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDiffSaysWhereLongValuesDiffer(t *testing.T) {
	long := strings.Repeat("x", 100)
	for name, c := range map[string]struct {
		here, there any
		want        string
	}{
		"text":  {long, long[:99] + "y", "100 and 100 bytes, which differ from byte 99 on"},
		"bytes": {[]byte(long), []byte(long[:50]), "100 and 50 bytes, which differ from byte 50 on"},
		"short": {"a", "b", ""},
		"list":  {[]any{"a", "b"}, []any{"a", "c", "b"}, "2 and 3 elements, which differ from [1] on"},
		"more":  {[]any{"a"}, []any{"a", "b"}, "1 and 2 elements"},
	} {
		found := Diff(c.here, c.there, "In", 10)
		if len(found) != 1 || found[0].Note != c.want {
			t.Errorf("%s: %+v, want the note %q", name, found, c.want)
		}
	}
}

func TestDiffEndsAtItsLimit(t *testing.T) {
	var here, there []any
	for i := range 1000 {
		here, there = append(here, int64(i)), append(there, int64(-i-1))
	}
	if found := Diff(here, there, "In", 7); len(found) != 7 {
		t.Errorf("%d differences, want 7", len(found))
	}
}
