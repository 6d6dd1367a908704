//go:build gpu && linux && (amd64 || arm64)

package main

import (
	"github.com/TrilliantHealth/mops-go/examples/mldemo/internal/cuda"
	"github.com/TrilliantHealth/mops-go/examples/mldemo/internal/cuda/dl"
)

// The file is not in every build, since it makes the program one that is linked
// dynamically.
func init() { cuda.Load = dl.Load }
