// Package golangci makes the analyser of package mopspure a plugin that
// golangci-lint custom builds in:
//
//	# .custom-gcl.yml
//	version: v2.15.0
//	plugins:
//	  - module: github.com/TrilliantHealth/mops-go
//	    import: github.com/TrilliantHealth/mops-go/mopspure/golangci
//	    version: v1.0.0
//
//	# .golangci.yml
//	version: "2"
//	linters:
//	  enable: [mopspure]
//	  settings:
//	    custom:
//	      mopspure:
//	        type: module
//	        description: functions of mops depend on their input only
//
// It has no names to use: golangci-lint finds it by its registry.
package golangci

import (
	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/TrilliantHealth/mops-go/mopspure"
)

func init() {
	register.Plugin(mopspure.Analyzer.Name, func(any) (register.LinterPlugin, error) { return plugin{}, nil })
}

type plugin struct{}

func (plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) {
	return []*analysis.Analyzer{mopspure.Analyzer}, nil
}

func (plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
