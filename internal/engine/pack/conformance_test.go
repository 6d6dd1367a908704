//go:build linux || darwin

package pack_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/internal/engine/packtest"
	"github.com/TrilliantHealth/mops-go/internal/testkit/groups"
)

// The test binary is a worker of packs, whose calls are workers of the conformance
// suite.
func TestMain(m *testing.M) {
	packtest.Work()
	if os.Getenv(packtest.PlaceVariable) == "" {
		place, err := os.MkdirTemp("", "packtest-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Setenv(packtest.PlaceVariable, place) // helper processes find it
		defer os.RemoveAll(place)
	}
	executortest.Main(m, maker)
}

var maker = executortest.Maker{
	New: func() executor.Executor {
		return packtest.New(&groups.Executor{Dir: filepath.Join(os.Getenv(packtest.PlaceVariable), "groups"), Replace: 8},
			executor.Packing{Work: time.Minute, Side: 20})
	},
	Can: executortest.Capabilities{Outlive: true, Kill: true},
}

func TestConformance(t *testing.T) {
	executortest.Run(t, maker)
	packtest.Beside.Wait()
}
