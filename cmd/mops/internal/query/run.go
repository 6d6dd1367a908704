package query

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// RunValue is the variable Run of what a record tells of a run.
func RunValue(id string, r record.Run) dynamic.Map {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	p := r.Program
	return dynamic.Map{
		{Key: "ID", Value: id}, {Key: "Outcome", Value: string(r.Outcome)}, {Key: "Reason", Value: string(r.Reason)},
		{Key: "Started", Value: moment(r.Started)}, {Key: "Ended", Value: moment(r.Ended)},
		{Key: "Wall", Value: seconds(r.WallSeconds)}, {Key: "CPU", Value: seconds(r.CPUSeconds)},
		{Key: "PeakMemory", Value: r.PeakMemory}, {Key: "MemoryLimit", Value: r.MemoryLimit},
		{Key: "CPUs", Value: r.CPUs}, {Key: "MemoryRequest", Value: r.MemoryRequest}, {Key: "GPUs", Value: r.GPUs}, {Key: "Spot", Value: r.Spot},
		{Key: "Host", Value: r.Host}, {Key: "User", Value: r.User}, {Key: "PID", Value: int64(r.PID)},
		{Key: "Executor", Value: r.Executor}, {Key: "Attempt", Value: int64(r.Attempt)}, {Key: "OS", Value: r.OS}, {Key: "Arch", Value: r.Arch},
		{Key: "Program", Value: dynamic.Map{
			{Key: "Path", Value: p.Path}, {Key: "Version", Value: p.Version}, {Key: "Revision", Value: p.Revision},
			{Key: "Dirty", Value: p.Dirty}, {Key: "Go", Value: p.Go},
		}},
	}
}

func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// runShape is the type of Run: that of any.
var runShape = func() *shape {
	s, some := new(shape), time.Unix(1, 0)
	s.learn(RunValue("", record.Run{Started: some, Ended: some}), dynamic.Whole)
	return s
}()

// FieldsValue is the variable Fields of what a program recorded of a run.
func FieldsValue(fields map[string]any) any { return stored(fields) }

// stored is a value of an expression, or of JSON, as package dynamic has it.
func stored(v any) any {
	switch v := v.(type) {
	case nil, bool, string, float64, int64, uint64, []byte, *big.Int, time.Time,
		dynamic.Map, dynamic.Source, dynamic.Object, dynamic.Tagged, dynamic.Simple, dynamic.Missing:
		return v
	case time.Duration:
		return v.String()
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case map[string]any:
		m := make(dynamic.Map, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m = append(m, dynamic.Entry{Key: key, Value: stored(v[key])})
		}
		return m
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Array:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = stored(r.Index(i).Interface())
		}
		return list
	case reflect.Map:
		m := make(dynamic.Map, 0, r.Len())
		for _, key := range r.MapKeys() {
			m = append(m, dynamic.Entry{Key: stored(key.Interface()), Value: stored(r.MapIndex(key).Interface())})
		}
		slices.SortFunc(m, func(a, b dynamic.Entry) int { return compareText(a.Key, b.Key) })
		return m
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(r.Uint())
	case reflect.Float32:
		return r.Float()
	}
	return fmt.Sprint(v)
}

func compareText(a, b any) int {
	if n, ok := order(a, b); ok {
		return n
	}
	n, _ := order(fmt.Sprint(a), fmt.Sprint(b))
	return n
}
