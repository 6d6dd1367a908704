package frozen_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

// Values has what a codec could change its mind about.
type Values struct {
	Bool     bool
	Ints     [3]int64
	Small    uint8
	Floats   []float64
	Single   float32
	Text     string
	Bytes    []byte
	Time     time.Time
	Duration time.Duration
	Map      map[string][]int
	Numbers  map[int]string
	Pointer  *string
	Nothing  *string
	Nested   struct{ A, B string }
	Shape    Shape
	Later    string `cbor:",omitzero"`
	Renamed  int    `cbor:"other-name"`
}

// Shape is an interface with registered types.
type Shape interface{ Sides() int }

// Polygon is one of them.
type Polygon struct{ N int }

// Sides counts.
func (p Polygon) Sides() int { return p.N }

// Shortage is an error that is kept with its type.
type Shortage struct{ Missing int }

func (s *Shortage) Error() string { return fmt.Sprint(s.Missing, " missing") }

func init() {
	mops.RegisterType[Polygon]()
	mops.RegisterError[*Shortage]()
}

// runs counts what was computed: nothing, in a store that has it all.
var runs int

var echo = mops.Define("frozen/echo", func(_ context.Context, in Values) (Values, error) {
	runs++
	return in, nil
}, mops.Version("1.2"))

var caller = mops.Define("frozen/caller", func(ctx context.Context, in Values) (string, error) {
	runs++
	out, err := echo.Call(ctx, in)
	return out.Text, err
}, mops.Calls(echo))

var upper = mops.Define("frozen/upper", func(ctx context.Context, in mops.Source) (mops.Source, error) {
	runs++
	path, err := in.Path(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return mops.Source{}, err
	}
	dir, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	out := filepath.Join(dir, "upper.txt")
	return mops.File(out), os.WriteFile(out, []byte(strings.ToUpper(string(data))), 0o666)
})

// twice calls upper with what it gets, and with what comes of that.
var twice = mops.Define("frozen/twice", func(ctx context.Context, in mops.Source) (mops.Source, error) {
	runs++
	out, err := upper.Call(ctx, in)
	if err != nil {
		return mops.Source{}, err
	}
	dir, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	other := filepath.Join(dir, "other.txt")
	if err := os.WriteFile(other, []byte("other words\n"), 0o666); err != nil {
		return mops.Source{}, err
	}
	_, err = upper.Call(ctx, mops.File(other))
	return out, err
}, mops.Calls(upper))

var tree = mops.Define("frozen/tree", func(ctx context.Context, in mops.Source) (mops.Source, error) {
	runs++
	dir, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	path, err := in.Path(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	return mops.Dir(filepath.Join(dir, "tree")), os.CopyFS(filepath.Join(dir, "tree"), os.DirFS(path))
})

var weigh = mops.Define("frozen/weigh", func(ctx context.Context, in mops.Shared[map[string]float64]) (sum float64, err error) {
	runs++
	all, err := in.Get(ctx)
	for _, w := range all {
		sum += w
	}
	return sum, err
})

var fails = mops.Define("frozen/fails", func(_ context.Context, n int) (int, error) {
	runs++
	return 0, fmt.Errorf("no: %w", &Shortage{n})
})

var panics = mops.Define("frozen/panics", func(_ context.Context, n int) (int, error) {
	runs++
	panic(fmt.Sprint("panicked over ", n))
})

// some are values with an example of each kind.
func some() Values {
	text := "pointed at"
	v := Values{
		Bool: true, Ints: [3]int64{math.MinInt64, 0, math.MaxInt64}, Small: 255,
		Floats: []float64{0, 0.1, 1e300, math.Inf(-1), math.MaxFloat64}, Single: 0.25, Text: "Grüße, 世界", Bytes: []byte{0, 255},
		Time: time.Date(2026, 11, 26, 1, 2, 3, 456789012, time.UTC), Duration: time.Hour + time.Nanosecond,
		Map: map[string][]int{"b": {2}, "a": {1, 2, 3}, "none": {}}, Numbers: map[int]string{-1: "minus one", 300: "three hundred"},
		Pointer: &text, Shape: Polygon{6}, Renamed: 7,
	}
	v.Nested.A, v.Nested.B = "x", "y"
	return v
}
