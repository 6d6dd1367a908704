package mops_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go"
)

var CountLines = mops.Define("example/count-lines", func(ctx context.Context, text mops.Source) (n int, err error) {
	file, err := text.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		n++
	}
	return n, lines.Err()
})

// A file is known by its content: under another name it is the same input.
func ExampleFile() {
	ctx, end := inFolder()
	defer end()
	folder, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(folder)
	for _, name := range []string{"poem.txt", "copy.txt"} {
		path := filepath.Join(folder, name)
		os.WriteFile(path, []byte("Shall I compare thee\nto a summer's day?\n"), 0o666)
		n, info, err := CountLines.Do(ctx, mops.File(path))
		fmt.Println(n, info.Outcome, err)
	}
	// Output:
	// 2 computed <nil>
	// 2 hit <nil>
}
