package mops_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go"
)

// What a program made or fetched is an input without a file of its own.
func ExampleBytes() {
	ctx, end := inFolder()
	defer end()
	poem := []byte("Shall I compare thee\nto a summer's day?\n")
	fmt.Println(CountLines.Call(ctx, mops.Bytes(poem)))
	// Output: 2 <nil>
}

// A result that is a file goes to a place of your choice.
func ExampleSource_CopyTo() {
	ctx, end := inFolder()
	defer end()
	folder, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(folder)
	letter, err := Write.Call(ctx, "Ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	path := filepath.Join(folder, "to-ada.txt")
	if err := letter.Text.CopyTo(ctx, path); err != nil {
		fmt.Println(err)
		return
	}
	text, err := os.ReadFile(path)
	fmt.Printf("%q %v\n", text, err)
	// Output: "Dear Ada" <nil>
}

// A small file is read at once.
func ExampleSource_ReadAll() {
	ctx, end := inFolder()
	defer end()
	letter, err := Write.Call(ctx, "Ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := letter.Text.ReadAll(ctx)
	fmt.Printf("%q %v\n", text, err)
	// Output: "Dear Ada" <nil>
}
