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
  desc "{{.Purpose}}"
  homepage "{{.Home}}"
  version "{{.Version}}"
  license "MIT"
{{range .Archives}}
  if OS.{{if eq .System "darwin"}}mac{{else}}linux{{end}}? && Hardware::CPU.{{if eq .Architecture "arm64"}}arm{{else}}intel{{end}}?
    url "{{$.Home}}/releases/download/v{{$.Version}}/{{.Name}}"
    sha256 "{{.Hash}}"
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

func writeFormula(out string, archives []archive) error {
	type row struct{ System, Architecture, Name, Hash string }
	var rows []row
	for _, a := range archives {
		rows = append(rows, row{a.system, a.architecture, a.name, a.hash})
	}
	file, err := os.Create(filepath.Join(out, "mops.rb"))
	if err != nil {
		return err
	}
	about := map[string]any{"Purpose": purpose, "Home": home, "Version": archives[0].version, "Archives": rows}
	return errors.Join(formula.Execute(file, about), file.Close())
}
