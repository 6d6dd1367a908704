package subprocess_test

import (
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// TestNothingLeaks: after many starts side by side, with other programs started
// meanwhile, there are no more files open than before, and no zombies.
func TestNothingLeaks(t *testing.T) {
	each := 25
	if os.Getenv("MOPS_SOAK") != "" {
		each = 1000
	}
	e := subprocess.New(subprocess.Grace(time.Second))
	wait(t, start(t, e, invocation("nothing"))) // allocations that happen once happen now
	before := openFiles(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range each {
				w, err := e.Start(t.Context(), invocation("nothing"))
				if err != nil {
					t.Error(err)
					return
				}
				switch i % 3 {
				case 0:
					w.Wait(t.Context())
				case 1:
					w.Stop(t.Context())
					w.Wait(t.Context())
				case 2:
					w.Release()
					w.Wait(t.Context())
				}
			}
		})
	}
	all.Go(func() {
		for range each {
			exec.Command("/bin/sh", "-c", ":").Run()
		}
	})
	all.Wait()
	if after := openFiles(t); after > before {
		t.Errorf("%d open files, %d before", after, before)
	}
	// The released ones are reaped by the starts that follow their end.
	for deadline := time.Now().Add(patience); ; {
		wait(t, start(t, e, invocation("nothing")))
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err == unix.ECHILD {
			break // this process has no children, dead or alive
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are still children (%v)", err)
		}
	}
}
