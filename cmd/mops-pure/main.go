// Command mops-pure finds what makes functions of mops impure. The go command
// runs it:
//
//	go get -tool github.com/TrilliantHealth/mops-go/cmd/mops-pure
//	go vet -vettool=$(go tool -n mops-pure) ./...
//
// The first run takes as long as building all that the program imports; later
// ones look at what has changed. Package mopspure is the analyser in it, for other
// drivers.
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/TrilliantHealth/mops-go/mopspure"
)

func main() { unitchecker.Main(mopspure.Analyzer) }
