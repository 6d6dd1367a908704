package mops_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go"
)

var Magic = mops.Define("example/magic", func(ctx context.Context, file mops.Source) (string, error) {
	part, err := file.OpenRange(ctx, 1, 3)
	if err != nil {
		return "", err
	}
	defer part.Close()
	magic, err := io.ReadAll(part)
	return string(magic), err
})

// A part of a big file can be read without the rest.
func ExampleSource_OpenRange() {
	ctx, end := inFolder()
	defer end()
	folder, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "picture")
	os.WriteFile(path, []byte("\x89PNG\r\n\x1a\n and so on"), 0o666)
	fmt.Println(Magic.Call(ctx, mops.File(path)))
	// Output: PNG <nil>
}
