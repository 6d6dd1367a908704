package worker

import (
	"os"
	"os/user"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Whereabouts is what records say of this process: who runs what program, and
// where. It does not change while the process lives.
var Whereabouts = sync.OnceValue(func() record.Run {
	ran := record.Run{PID: os.Getpid(), OS: runtime.GOOS, Arch: runtime.GOARCH, Program: record.ThisProgram()}
	ran.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		ran.User = u.Username
	}
	return ran
})

// begin starts the record of a run.
func begin(a Assignment) record.Run {
	ran := Whereabouts().Of(a.ID)
	ran.Caller = a.Caller
	ran.Fields = a.Fields.Values()
	ran.Started = time.Now()
	return ran
}

// end completes the record when the function has returned.
func (t Task) end(ran *record.Run, running *Running, cpuBefore time.Duration) {
	ended := time.Now()
	wall := ended.Sub(ran.Started)
	cpu, peak := process.Usage()
	ran.Ended = ended.UTC()
	ran.Started = ran.Started.UTC()
	ran.WallSeconds = wall.Seconds()
	// These are the process's: in process, they include what else the program
	// did meanwhile.
	ran.CPUSeconds = (cpu - cpuBefore).Seconds()
	ran.PeakMemory = t.peakMemory(peak)
	t.Container.describe(ran)
	ran.Fields = running.recorded()
	ran.Made, ran.MoreMade = running.madeCalls(t.Place.Store)
	if wall >= modulesAfter {
		ran.Modules = record.Modules()
	}
}

// firstLines is enough of a message for a list of runs.
func firstLines(message string) string {
	const most = 500
	line, _, _ := strings.Cut(message, "\n")
	if len(line) > most {
		line = line[:most] + "…"
	}
	return line
}
