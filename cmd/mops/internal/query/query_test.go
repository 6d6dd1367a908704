package query

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

func obj(pairs ...any) (m dynamic.Map) {
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, dynamic.Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return m
}

func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t
}

// judged is what became of calls, each learnt from before any is judged: the numbers
// of those that meet the condition, and what is shown of them.
type judged struct {
	found  []int
	shown  [][]any
	failed []string
}

// ask asks for calls of functions, each with its variables.
func ask(t *testing.T, where string, show []string, calls ...*Call) (j judged, q *Query) {
	t.Helper()
	q, err := Parse(where, show)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		fresh := *c
		fresh.Values = map[string]any{"Function": c.Key.Function, Err: "", State: "result", Fields: dynamic.Map{}}
		for name, v := range c.Values {
			fresh.Values[name] = v
		}
		*c = Call{Key: c.Key, Schema: c.Schema, Values: c.Values}
		q.Learn(&fresh)
		c.of, c.env, c.cells = fresh.of, fresh.env, fresh.cells
	}
	for i, c := range calls {
		cells, verdict, err := q.Judge(c)
		if err != nil {
			j.failed = append(j.failed, err.Error())
		}
		if verdict == Yes {
			j.found, j.shown = append(j.found, i), append(j.shown, cells)
		}
	}
	return j, q
}

func calls(function string, inputs ...any) (all []*Call) {
	for _, in := range inputs {
		all = append(all, &Call{Key: Key{Function: function, In: "in"}, Values: map[string]any{In: in}})
	}
	return all
}

var huge, _ = new(big.Int).SetString("1208925819614629174706176", 10) // 2^80

// weather are calls whose inputs have about everything that a value may have.
var weather = calls("weather@1",
	obj("City", "Oslo", "When", day("2026-03-01"), "Degrees", 21.5, "N", int64(3), "Big", huge, "Raw", []byte{1, 0xab}, "Limit", nil,
		"Tags", []any{"a", "b"}, "Area", obj("Name", "north", "Size", int64(7)), "Labels", obj("zone", "x"),
		"File", dynamic.Source{Kind: "file", Hash: "ab12", Size: 10}, "Wait", int64(6*time.Second), "Ok", true,
		"Shape", dynamic.Object{Type: "square", Value: obj("Side", 2.0)}, "By", obj(int64(1), "one", int64(2), "two"),
		"Items", []any{obj("Price", 2.5, "Name", "x"), obj("Price", 9.0, "Name", nil)}),
	obj("City", "Rome", "When", nil, "Degrees", math.NaN(), "N", uint64(1<<63), "Big", int64(5), "Raw", []byte{}, "Limit", int64(5),
		"Tags", nil, "Area", nil, "Labels", obj("area", "y"),
		"File", dynamic.Source{Kind: "dir", Hash: "cd", Size: 1 << 40}, "Wait", int64(0), "Ok", false,
		"Shape", nil, "By", obj(), "Items", []any{}),
)

func TestConditions(t *testing.T) {
	for where, want := range map[string][]int{
		`In.City == "Oslo"`:                                      {0},
		`In.City != "Oslo"`:                                      {1},
		`"Oslo" == In.City && true`:                              {0},
		`In.City in ["Oslo", "Rome"]`:                            {0, 1},
		`In.City matches "^R" or In.N == 3`:                      {0, 1},
		`not (In.City startsWith "O")`:                           {1},
		`lower(In.City) contains "osl"`:                          {0},
		`In.When > date("2026-01-01")`:                           {0},
		`In.When == date("2026-03-01")`:                          {0},
		`In.When <= date("2026-01-01")`:                          nil,
		`In.When == nil`:                                         {1},
		`In.When - duration("1d") < date("2026-03-01")`:          {0},
		`In.Degrees > 21`:                                        {0},
		`In.Degrees <= 21.5`:                                     {0},
		`In.Degrees != 21.5`:                                     {1},
		`In.Degrees == In.Degrees`:                               {0},
		`In.N == 3.0`:                                            {0},
		`In.N > 9223372036854775807`:                             {1},
		`In.N > In.Degrees`:                                      nil,
		`In.Big > 1000000`:                                       {0},
		`In.Big == bigint("1208925819614629174706176")`:          {0},
		`In.Big < bigint("0x10")`:                                {1},
		`In.Big > 1.2e24`:                                        {0},
		`In.Big < 1.3e24`:                                        {0, 1},
		`hex(In.Raw) == "01ab"`:                                  {0},
		`len(In.Raw) == 0`:                                       {1},
		`In.Limit == nil`:                                        {0},
		`In.Limit != nil`:                                        {1},
		`In.Limit >= 5`:                                          {1},
		`In.Limit < 6`:                                           {1},
		`In.Limit == 5`:                                          {1},
		`"a" in In.Tags`:                                         {0},
		`In.Tags == ["a", "b"]`:                                  {0},
		`In.Tags == nil`:                                         {1},
		`len(In.Tags) == 0`:                                      {1},
		`none(In.Tags, # == "a")`:                                {1},
		`len(In.Labels) + len(In.City) == 5`:                     {0, 1},
		`len(In.Area) == 0`:                                      {1},
		`len(In.Tags ?? []) == 0`:                                {1},
		`In.Area.Name == "north"`:                                {0},
		`In.Area.Size > 5 and In.Area != nil`:                    {0},
		`In.Area == {"Name": "north", "Size": 7}`:                {0},
		`In.Labels.zone == "x"`:                                  {0},
		`In.Labels["zone"] == nil`:                               {1},
		`In.Labels["none"] == nil`:                               {0, 1},
		`In.Labels?.none == "x"`:                                 nil,
		`"zone" in In.Labels`:                                    {0},
		`In.File.Size > 1000`:                                    {1},
		`In.File.Hash startsWith "ab" && In.File.Kind == "file"`: {0},
		`In.Wait > duration("5s")`:                               {0},
		`duration("5s") < In.Wait`:                               {0},
		`In.Ok`:                                                  {0},
		`In.Ok == false`:                                         {1},
		`In.Shape.Side == 2`:                                     {0},
		`In.By[1] == "one"`:                                      {0},
		`any(In.Items, .Price > 5)`:                              {0},
		`any(In.Items, .Name == "x" && .Price < 3)`:              {0},
		`count(In.Items, #.Price > 1) == 2`:                      {0},
		`sum(In.Items, .Price) > 11`:                             {0},
		`In.When.Year() == 2026`:                                 {0},
		`let x = In.City; x == "Rome"`:                           {1},
		`In.City == "Oslo" ? true : In.N > 5`:                    {0, 1},
		`Out.Degrees > 20`:                                       nil,
		`Out == nil`:                                             {0, 1},
		`Out.Degrees != 20`:                                      nil,
		`Out != 20`:                                              nil,
		`any(Out, # > 3) or len(Out) == 0`:                       nil,
		`(Out ?? 3) == 3`:                                        {0, 1},
		`In.Tags[1] == "b"`:                                      {0},
		`In.Tags[5] == nil`:                                      {0, 1},
		`In.Items[-1].Price > 5`:                                 {0},
		`In.Items[0].Name == "x"`:                                {0},
		`In.Area.Name matches "n"`:                               {0},
		`any(In.Items, .Name contains "x")`:                      {0},
		`In.Limit in [5, 6]`:                                     {1},
		`Run.Wall > duration("5s")`:                              nil,
		`Run == nil || Run.Host == "x"`:                          {0, 1},
		`Function == "weather@1" && Err == ""`:                   {0, 1},
		`State in ["result", "error"]`:                           {0, 1},
	} {
		got, q := ask(t, where, nil, weather...)
		if _, err := q.Misfits(); err != nil {
			t.Errorf("%s: %v", where, err)
		}
		if !slices.Equal(got.found, want) {
			t.Errorf("%s: found %v, want %v; %q", where, got.found, want, got.failed)
		}
	}
}

// Each mistake is found, and shown where it is.
func TestMistakes(t *testing.T) {
	for where, want := range map[string]string{
		`In.City =`:                      "unexpected token Operator(\"=\")\n  In.City =\n          ^",
		`In.Ctiy == "Oslo"`:              "no call that was looked at has a field Ctiy; did you mean City?\n  In.Ctiy == \"Oslo\"\n     ^^^^\nIn has the fields Area, Big, By, City,",
		`true && In.Area.Nmae == "x"`:    "did you mean Name?\n  true && In.Area.Nmae == \"x\"\n                  ^^^^\nIn.Area has the fields Name, Size",
		`any(In.Items, .Prize > 5)`:      "did you mean Price?\n  any(In.Items, .Prize > 5)\n                 ^^^^^\nan element has the fields Name, Price",
		`In.City.Name == "x"`:            "has a field Name",
		`In.File.Sise > 3`:               "did you mean Size?",
		`Run.Wal > 3`:                    "did you mean Wall?",
		`In.City > 5`:                    "a string > a number makes no sense\n  In.City > 5\n          ^",
		`In.When > "2026-01-01"`:         `a time > a string makes no sense: write a time as date("2026-01-31")`,
		`Run.Wall > "5s"`:                `write a duration as duration("1h30m")`,
		`In.Raw == "ab"`:                 "hex(…) makes a string of bytes",
		`In.Ok > true`:                   "something > true or false makes no sense",
		`In.City + 1 == "x"`:             "+ does not go with string and int",
		`In.City`:                        "a condition is true or false, and this is a string",
		`1 + 1`:                          "a condition is true or false, and this is a number",
		`Inn.City == "x"`:                "there is nothing called Inn; did you mean In?",
		`lenn(In.City) > 3`:              "there is nothing called lenn; did you mean len?",
		`hex(Foo) == "x"`:                "there is nothing called Foo",
		`In.Wait > duration("5x")`:       "\"5x\" is no duration: there is no unit \"x\"",
		`In.When < date("2026-13-01")`:   "invalid date 2026-13-01; write one as date(\"2026-01-31\") or date(\"2026-01-31T12:00:00Z\")\n  In.When < date(\"2026-13-01\")\n                 ^^^^^^^^^^^^",
		`In.N > bigint("1o")`:            "\"1o\" is no integer",
		`$env.In.City == "x"`:            "there is no $env here",
		"In.City ==\n\t\"x\" && In.Ctiy": "\n   \"x\" && In.Ctiy\n             ^^^^",
		`In.City matches "("`:            "missing closing )",
	} {
		_, err := Parse(where, nil)
		if err == nil {
			_, q := ask(t, where, nil, weather...)
			_, err = q.Misfits()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got\n%v\nwant\n%s", where, err, want)
		}
	}
}

// A condition may be for some of several functions: those without a field do not meet
// the comparison that asks for it.
func TestSeveralFunctions(t *testing.T) {
	all := append(calls("towns@1", obj("Town", "Bergen", "N", "three"), obj("Town", "Oslo", "N", "one")), weather...)
	all = append(all, calls("plain@1", int64(4))...)
	for where, want := range map[string][]int{
		`In.City == "Oslo"`:                        {2},
		`In.City != "Oslo"`:                        {3},
		`not (In.City == "Oslo")`:                  {3},
		`In.City == "Rome" || In.Town == "Bergen"`: {0, 3},
		`In.N == "one"`:                            {1},
		`In.N == 3`:                                {2},
		`In == 4`:                                  {4},
		`Function startsWith "towns" or In.Ok`:     {0, 1, 2},
	} {
		got, q := ask(t, where, nil, all...)
		if _, err := q.Misfits(); err != nil || !slices.Equal(got.found, want) {
			t.Errorf("%s: %v, want %v; %v", where, got.found, want, err)
		}
	}
	_, q := ask(t, `In.N == 3`, nil, all...)
	misfits, err := q.Misfits()
	if err != nil || len(misfits) != 1 || misfits[0].Function != "towns@1" || misfits[0].Calls != 2 {
		t.Errorf("%+v, %v", misfits, err)
	}
	_, q = ask(t, `In.Twon == "x"`, nil, all...)
	if _, err = q.Misfits(); err == nil || !strings.Contains(err.Error(), "did you mean Town?") {
		t.Error(err)
	}
}

// A field that is left out where it is zero counts as zero, whether the schema says
// that it is there or other calls have it; a pointer that is left out is nil.
func TestFieldsThatAreLeftOut(t *testing.T) {
	graph := schema.Graph{
		{Kind: "struct", Parts: map[string]int{"omitzero field N": 1, "omitzero field P": 2, "omitzero field S": 3, "omitzero field Never": 1}},
		{Kind: "int"},
		{Kind: "ptr", Parts: map[string]int{"elem": 1}},
		{Kind: "struct", Parts: map[string]int{"field Depth": 1}},
	}
	described, err := schema.Types{In: graph}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	all := calls("f@1", obj("City", "a"), obj("City", "b", "N", int64(2), "P", int64(3), "S", obj("Depth", int64(4)), "Empty", "x"))
	for _, c := range all {
		c.Schema = described
	}
	for where, want := range map[string][]int{
		`In.N == 0`:       {0},
		`In.N < 5`:        {0, 1},
		`In.N + 1 == 1`:   {0},
		`In.N == nil`:     nil,
		`In.P == nil`:     {0},
		`In.P < 5`:        {1},
		`In.S.Depth == 0`: {0},
		`In.S.Depth > 0`:  {1},
		`In.Never == 0`:   {0, 1},
		`In.Never > "x"`:  nil, // a mistake
		`In.Empty == ""`:  {0},
		`In.Empty == nil`: {0}, // nobody can tell
		`In.Empty != nil`: {1},
		`In["N"] == nil`:  {0},
	} {
		if got, _ := ask(t, where, nil, all...); !slices.Equal(got.found, want) {
			t.Errorf("%s: %v, want %v; %q", where, got.found, want, got.failed)
		}
	}
}

// A call that is judged before a field of its type was seen is undecided, and judged
// again when all are known; so is one of a type that has got another field since.
func TestUndecided(t *testing.T) {
	q, err := Parse(`In.Note == "" || In.City == "b"`, nil)
	if err != nil {
		t.Fatal(err)
	}
	learnt := func(in any) *Call {
		c := calls("f@1", in)[0]
		q.Learn(c)
		return c
	}
	first := learnt(obj("City", "a"))
	if _, verdict, err := q.Judge(first); verdict != Undecided || err != nil || q.Revised(first.Key) {
		t.Error(verdict, err)
	}
	if _, verdict, _ := q.Judge(learnt(obj("City", "b"))); verdict != Yes {
		t.Error(verdict)
	}
	if _, verdict, _ := q.Judge(learnt(obj("City", "c", "Note", "x"))); verdict != No || !q.Revised(first.Key) {
		t.Error(verdict)
	}
	if _, verdict, _ := q.Judge(learnt(obj("City", "a"))); verdict != Yes {
		t.Error(verdict)
	}
}

// What goes wrong with one value is said, and does not end the rest.
func TestFailuresOfOneCall(t *testing.T) {
	for where, want := range map[string]string{
		`In.Limit + 1 == 6`:     "int",
		`In.N % 2 == 1`:         "",
		`len(1..9000000) > 3`:   "memory budget exceeded",
		`In.When.Year() > 2000`: "nil",
	} {
		got, _ := ask(t, where, nil, weather...)
		if want != "" && (len(got.failed) == 0 || !strings.Contains(strings.Join(got.failed, "\n"), want)) {
			t.Errorf("%s: %q", where, got.failed)
		}
	}
}

// Values are shown as they are stored; what is worked out, as what it is.
func TestShow(t *testing.T) {
	run := RunValue("2611231412-SkirtBus", record.Run{WallSeconds: 90, PeakMemory: 5, Host: "node-7", Started: day("2026-01-02")})
	all := calls("f@1", obj("City", "Oslo", "File", dynamic.Source{Kind: "file", Hash: "ab", Size: 3}, "Shape", dynamic.Object{Type: "square", Value: obj("Side", 2.0)}, "N", huge))
	all[0].Values[Run], all[0].Values[Fields] = run, FieldsValue(map[string]any{"rows": 12.0})
	show := []string{"In.City", "In.File", "In.File.Size", "In.Shape", "In.Shape.Side", "In.N", "len(In.City)", "Run.Wall", "Run.Started", "Run.Host + \"!\"", "Fields.rows", "In.Tags", "[1, 2.5]", "{\"b\": 1, \"a\": In.City}", "Out.X", "Run.Program.Go"}
	got, q := ask(t, "", show, all...)
	if _, err := q.Misfits(); err == nil || !strings.Contains(err.Error(), "has a field Tags") {
		t.Error(err)
	}
	if len(got.shown) != 1 {
		t.Fatal(got)
	}
	values := make([]dynamic.JSON, len(show))
	for i, v := range got.shown[0] {
		values[i] = dynamic.JSON{Value: v}
	}
	text, err := json.Marshal(values)
	want := `["Oslo",{"$source":{"kind":"file","sha256":"ab","size":3}},3,{"$type":"square","$value":{"Side":2}},2,1208925819614629174706176,4,"1m30s",` +
		`{"$time":"2026-01-02T00:00:00Z"},"node-7!",12,null,[1,2.5],{"a":"Oslo","b":1},null,""]`
	if err != nil || string(text) != want {
		t.Errorf("got  %s, %v\nwant %s", text, err, want)
	}
	if titles := q.Titles(); titles[3] != "In.Shape" || len(titles) != len(show) {
		t.Error(titles)
	}
}

// Only what is asked for is kept of a value.
func TestNeeds(t *testing.T) {
	q, err := Parse(`In.A.B == 1 && any(In.C, .D > 1) && In["E"].F.Year() == 2026`, []string{"Run.Wall"})
	if err != nil {
		t.Fatal(err)
	}
	if !q.Needs(In) || !q.Needs(Out, Run) || q.Needs(Out, Err, Fields) {
		t.Error("wrong variables")
	}
	in := obj("A", obj("B", int64(1), "X", "large"), "C", []any{obj("D", int64(2))}, "E", obj("F", day("2026-01-01")), "Y", "large")
	got := value(in, q.needs[In]).(map[string]any)
	if a := got["A"].(map[string]any); len(got) != 3 || len(a) != 1 || a["B"] != 1 || len(got["C"].([]any)) != 1 {
		t.Errorf("%v", got)
	}
}

func FuzzQuery(f *testing.F) {
	for _, where := range []string{`In.City == "Oslo"`, `any(In.Items, .Price > 5) && In.Area.Size in [1, 7]`, `let x = In; x.City ?? 3`, `In.When > date("x")`, `In.Labels["a"]?.b[1:]`, "#", "..", `In | len()`} {
		f.Add(where)
	}
	f.Fuzz(func(t *testing.T, where string) {
		q, err := Parse(where, nil)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		for _, c := range weather {
			fresh := &Call{Key: c.Key, Values: map[string]any{In: c.Values[In]}}
			q.Learn(fresh)
			q.Judge(fresh)
		}
		q.Misfits()
	})
}
