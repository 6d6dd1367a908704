//go:build linux || darwin

package subprocess

import (
	"encoding/json"
	"os/exec"
	"runtime"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// A process reports the end of its call and ends, before who listens gets to it.
// Another process may have the socket, so that it does not end.
func TestReportOfAnEndedProcess(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 20 {
		p, err := newPipes(true)
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		json.NewEncoder(p.socketEnd).Encode(inherit.Report{Code: 46})
		command := exec.Command("true")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		defer command.Wait()
		id := process.Identity{PID: command.Process.Pid}
		if err := process.WaitChild(t.Context(), id.PID); err != nil {
			t.Fatal(err)
		}
		c := &child{pipes: p, id: id, from: json.NewDecoder(p.socket)}
		report, err := c.wait(t.Context())
		if err != nil || report == nil || report.Code != 46 {
			t.Fatalf("it reported %+v, %v", report, err)
		}
	}
}
