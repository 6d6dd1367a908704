package main

import (
	"errors"
	"os"
	"path/filepath"
	"text/template"
)

// formula is Ruby for Homebrew, of macOS and of Linux, over the archives of this
// release as GitHub serves them.
var formula = template.Must(template.New("mops.rb").Parse(`class Mops < Formula
  desc "Shows {{.Purpose}}"
  homepage "{{.Home}}"
  version "{{.Version}}"
  license "MIT"
{{range .Systems}}
  on_{{.Name}} do
{{- range .Archives}}
    on_{{.Processor}} do
      url "{{$.Home}}/releases/download/v{{$.Version}}/{{.Name}}"
      sha256 "{{.Hash}}"
    end
{{- end}}
  end
{{end}}
  def install
    bin.install "mops"
    man1.install Dir["man1/*.1"]
    bash_completion.install "completions/mops"
    zsh_completion.install "completions/_mops"
    fish_completion.install "completions/mops.fish"
  end

  test do
    assert_match "mops v#{version}", shell_output("#{bin}/mops version")
  end
end
`))

// Names that Homebrew has for those of Go.
var (
	brewSystems    = map[string]string{"darwin": "macos", "linux": "linux"}
	brewProcessors = map[string]string{"amd64": "intel", "arm64": "arm"}
)

func writeFormula(out string, archives []archive) error {
	type row struct{ Processor, Name, Hash string }
	type system struct {
		Name     string
		Archives []row
	}
	var systems []system
	for _, name := range []string{"darwin", "linux"} {
		s := system{Name: brewSystems[name]}
		for _, a := range archives {
			if a.system == name {
				s.Archives = append(s.Archives, row{brewProcessors[a.architecture], a.name, a.hash})
			}
		}
		if len(s.Archives) > 0 {
			systems = append(systems, s)
		}
	}
	file, err := os.Create(filepath.Join(out, "mops.rb"))
	if err != nil {
		return err
	}
	about := map[string]any{"Purpose": purpose, "Home": home, "Version": archives[0].version, "Systems": systems}
	return errors.Join(formula.Execute(file, about), file.Close())
}
