package worker

import (
	"os"
	"os/user"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/process"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// whereabouts does not change while the process lives.
var whereabouts = sync.OnceValue(func() record.Run {
	run := record.Run{PID: os.Getpid(), OS: runtime.GOOS, Arch: runtime.GOARCH, Program: record.ThisProgram()}
	run.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		run.User = u.Username
	}
	return run
})

// begin starts the record of a run.
func (t Task) begin() record.Run {
	run := whereabouts()
	run.LeaseID, run.Attempt, run.Executor = t.LeaseID, t.Attempt, t.Executor
	run.Started = time.Now()
	return run
}

// end completes it when the function has returned.
func (t Task) end(run *record.Run, running *Running, cpuBefore time.Duration) {
	ended := time.Now()
	wall := ended.Sub(run.Started)
	cpu, peak := process.Usage()
	run.Ended = ended.UTC()
	run.Started = run.Started.UTC()
	run.WallSeconds = wall.Seconds()
	// Of the process: in process, that is the program's own and what else it
	// did meanwhile.
	run.CPUSeconds = (cpu - cpuBefore).Seconds()
	run.PeakMemory = peak
	run.Fields = running.recorded()
	if wall >= modulesAfter {
		run.Modules = record.Modules()
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
