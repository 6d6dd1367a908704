package page

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

func memoOf(n byte) string { return memokey.Path("daily", "train", "2", memokey.Key{n, 1, 2, 3}) }

func TestColumns(t *testing.T) {
	calls := []programs.Call{
		{Function: "train", Memo: memoOf(1), Caller: memoOf(9), Outcome: "computed", Asked: 1.5, Starting: 1.5, Started: 2, Ended: 4.25, Worker: "node", Resources: programs.Resources{WallSeconds: 2.25, PeakMemory: 5 << 20}},
		{Function: "train", Memo: memoOf(2), Outcome: "hit", Asked: 1, Ended: 1.000001, Saved: &programs.Saved{Resources: programs.Resources{WallSeconds: 7}}},
		{Function: "other", Memo: "s3://else/where", Outcome: "failed", Error: "two\nlines \x1b[31mred\u202e", Asked: math.NaN(), Ended: math.Inf(1), Resources: programs.Resources{CPUs: math.NaN()}},
		{Function: "train", Memo: memoOf(1), Outcome: "hit", Asked: 5, Ended: 5},
	}
	c := columnsOf(calls, []programs.Open{{Function: "train", Memo: memoOf(3), Caller: memoOf(1), Stage: "queued", Asked: 6}})
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"words":["","train","mops1/daily/train@2","computed","node","hit","other","s3://else/where","failed","two lines red�","open"],"n":5,` +
		`"function":[1,1,6,1,1],"memo":[1,2,1,-3,4],"caller":[2,-2,0,0,1],"outcome":[3,5,8,5,10],"error":[0,0,9],"worker":[4],` +
		`"asked":[1500000,-500000,-1000000,5000000,1000000],"starting":[1],"started":[499999],"ended":[2250000,1,1,1],` +
		`"wall":[2250],"peak":[5120],"saved_wall":[0,7000],"stages":{"4":"queued"},"keys":"KEYS","folders":[2,2,2,7,2]}`
	keys := ""
	for _, n := range []byte{1, 9, 2} {
		key := memokey.Key{n, 1, 2, 3}
		keys += base64.RawStdEncoding.EncodeToString(key[:])
	}
	third := memokey.Key{3, 1, 2, 3}
	keys += strings.Repeat("A", 43) + base64.RawStdEncoding.EncodeToString(third[:])
	if got := string(text); got != strings.Replace(want, "KEYS", keys, 1) {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Replace(want, "KEYS", keys, 1))
	}
}

// What 100,000 calls take: a page of a run is sent to others.
func BenchmarkColumns(b *testing.B) {
	calls := make([]programs.Call, 100_000)
	for i := range calls {
		key := memokey.Key{byte(i), byte(i >> 8), byte(i >> 16)}
		at := float64(i) / 100
		calls[i] = programs.Call{
			Function: "train", Memo: memokey.Path("daily", "train", "2", key), Caller: memoOf(1), Outcome: "computed",
			Asked: at, Starting: at + .1, Started: at + .3, Ended: at + 2, Run: "2611231412-SkirtBus", Resources: programs.Resources{WallSeconds: 1.7, CPUSeconds: 1.5, PeakMemory: 300 << 20},
		}
	}
	for b.Loop() {
		text, err := json.Marshal(columnsOf(calls, nil))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text))/float64(len(calls)), "bytes/call")
	}
}
