package golangci

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"

	"github.com/TrilliantHealth/mops-go/mopspure"
	_ "github.com/TrilliantHealth/mops-go/mopspure/golangci"
)

func TestPlugin(t *testing.T) {
	create, err := register.GetPlugin("mopspure")
	if err != nil {
		t.Fatal(err)
	}
	p, err := create(nil)
	if err != nil {
		t.Fatal(err)
	}
	analyzers, err := p.BuildAnalyzers()
	if err != nil || len(analyzers) != 1 || analyzers[0] != mopspure.Analyzer || p.GetLoadMode() != register.LoadModeTypesInfo {
		t.Errorf("%v %v: %v", analyzers, p.GetLoadMode(), err)
	}
}
