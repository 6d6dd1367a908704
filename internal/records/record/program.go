package record

import (
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// Program identifies a program, as the Go toolchain wrote it into the binary.
type Program struct {
	Path     string `json:"path,omitempty"`     // of the main package
	Version  string `json:"version,omitempty"`  // of the main module; "(devel)" outside of releases
	Revision string `json:"revision,omitempty"` // of the version control system
	Dirty    bool   `json:"dirty,omitempty"`    // built from sources that differ from Revision
	Go       string `json:"go,omitempty"`       // version of the toolchain
}

// ThisProgram describes the running program.
func ThisProgram() Program { return this().program }

// Modules lists the modules in the program, sorted, as path@version. The caller
// must not change the slice.
func Modules() []string { return this().modules }

// Variant lists the settings of the program's build, other than its platform, that
// have other files compiled than usual: "tags:a+b" for -tags a,b, and "nocgo". The
// caller must not change the slice.
func Variant() []string { return this().variant }

type build struct {
	program Program
	variant []string
	modules []string
}

var this = sync.OnceValue(func() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{}
	}
	return describe(info)
})

func describe(info *debug.BuildInfo) build {
	b := build{program: Program{Path: info.Path, Version: info.Main.Version, Go: info.GoVersion}}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "-tags":
			b.variant = append(b.variant, "tags:"+strings.ReplaceAll(setting.Value, ",", "+"))
		case "CGO_ENABLED":
			if setting.Value == "0" {
				b.variant = append(b.variant, "nocgo")
			}
		case "vcs.revision":
			b.program.Revision = setting.Value
		case "vcs.modified":
			b.program.Dirty = setting.Value == "true"
		}
	}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		b.modules = append(b.modules, module.Path+"@"+module.Version)
	}
	slices.Sort(b.modules)
	return b
}
