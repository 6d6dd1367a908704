package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// writeComponents writes what the program says of itself: the modules that the linker
// put in, with their hashes in go.sum, and the standard library. It is a bill of
// materials in the form CycloneDX, which scanners for vulnerabilities read.
func (p program) writeComponents(out string) error {
	bill := cyclonedx.NewBOM()
	tool := module(cyclonedx.ComponentTypeApplication, p.info.Main.Path, p.info.Main.Version, "")
	bill.Metadata = &cyclonedx.Metadata{
		Timestamp:  p.made.Format(time.RFC3339),
		Component:  &tool,
		Properties: &[]cyclonedx.Property{{Name: "GOOS", Value: p.system}, {Name: "GOARCH", Value: p.architecture}, {Name: "package", Value: p.info.Path}},
	}
	parts := []cyclonedx.Component{module(cyclonedx.ComponentTypeLibrary, "std", strings.TrimPrefix(p.info.GoVersion, "go"), "")}
	for _, m := range p.info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		parts = append(parts, module(cyclonedx.ComponentTypeLibrary, m.Path, m.Version, m.Sum))
	}
	bill.Components = &parts
	file, err := os.Create(filepath.Join(out, p.fileName(".cdx.json")))
	if err != nil {
		return err
	}
	return errors.Join(cyclonedx.NewBOMEncoder(file, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bill), file.Close())
}

func module(kind cyclonedx.ComponentType, path, version, sum string) cyclonedx.Component {
	url := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B") // +incompatible
	c := cyclonedx.Component{BOMRef: url, Type: kind, Name: path, Version: version, PackageURL: url}
	if sum != "" {
		c.Properties = &[]cyclonedx.Property{{Name: "go.sum", Value: sum}}
	}
	return c
}
