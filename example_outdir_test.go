package mops_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go"
)

// A result may hold files as well.
type Letter struct {
	Words int
	Text  mops.Source
}

var Write = mops.Define("example/write", func(ctx context.Context, to string) (Letter, error) {
	folder, err := mops.OutDir(ctx)
	if err != nil {
		return Letter{}, err
	}
	path := filepath.Join(folder, "letter.txt")
	err = os.WriteFile(path, []byte("Dear "+to), 0o666)
	return Letter{2, mops.File(path)}, err
})

// The file is kept with the result; the folder it was written in is not.
func ExampleOutDir() {
	ctx, end := inFolder()
	defer end()
	for range 2 {
		letter, info, err := Write.Do(ctx, "Ada")
		if err != nil {
			fmt.Println(err)
			return
		}
		file, err := letter.Text.Open(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, err := io.ReadAll(file)
		file.Close()
		fmt.Printf("%s (%s) %v\n", text, info.Outcome, err)
	}
	// Output:
	// Dear Ada (computed) <nil>
	// Dear Ada (hit) <nil>
}
