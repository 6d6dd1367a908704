package k8s

import (
	"os"
	"testing"

	testcluster "github.com/TrilliantHealth/mops-go/internal/cluster"
)

func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }
