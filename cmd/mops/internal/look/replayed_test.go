package look

import (
	"bytes"
	"testing"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

func TestCompareRuns(t *testing.T) {
	then := ending{Run: record.Run{
		Program: record.Program{Path: "forecast", Version: "v1.2.0", Revision: "0123456789abcdef", Go: "go1.25.1"},
		OS:      "linux", Arch: "arm64", Host: "node-7", User: "ada", Executor: "k8s", MemoryLimit: 4 << 30,
		Modules: []string{"example.com/a@v1.0.0", "example.com/b@v1.0.0", "example.com/c@v1.0.0"},
	}, origin: record.Origin{Func: "forecast.train", Code: "0123456789abcdef"}}
	now := ending{Run: record.Run{
		Program: record.Program{Path: "forecast", Version: "v1.2.0", Revision: "0123456789abcdef", Dirty: true, Go: "go1.26.8"},
		OS:      "linux", Arch: "amd64", Host: "laptop", User: "ada", Executor: "replay",
	}, origin: record.Origin{Func: "forecast.train"}}
	var v replayView
	v.compare(then, now, []string{"example.com/a@v1.0.0", "example.com/b@v1.1.0", "example.com/d@v1.0.0"})
	var out bytes.Buffer
	a := &cli.App{Text: cli.NewTextWriter(&out)}
	v.showCompared(a)
	a.Text.Flush()
	const want = `  differs               then                 now
  revision              0123456789ab         0123456789ab with uncommitted changes
  Go                    go1.25.1             go1.26.8
  platform              linux/arm64          linux/amd64
  where                 ada on node-7 (k8s)  ada on laptop (replay)
  memory limit          4.3 GB               none
  module example.com/b  v1.0.0               v1.1.0
  module example.com/c  v1.0.0               none
  module example.com/d  none                 v1.0.0
  the same: program forecast, version v1.2.0, function forecast.train
  not known of both: code (0123456789ab then)
`
	if got := out.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
