package mops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go"
)

// A source may stand anywhere in an input.
type Album struct {
	Name   string
	Photos mops.Source
}

var CountPhotos = mops.Define("example/count-photos", func(ctx context.Context, album Album) (int, error) {
	folder, err := album.Photos.Path(ctx)
	if err != nil {
		return 0, err
	}
	photos, err := filepath.Glob(filepath.Join(folder, "*", "*.jpg"))
	return len(photos), err
})

// A folder is one source, with all that is in it and below it.
func ExampleDir() {
	ctx, end := inFolder()
	defer end()
	folder, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(folder)
	os.Mkdir(filepath.Join(folder, "beach"), 0o777)
	for _, name := range []string{"sea.jpg", "sand.jpg"} {
		os.WriteFile(filepath.Join(folder, "beach", name), []byte(name), 0o666)
		n, info, err := CountPhotos.Do(ctx, Album{"holiday", mops.Dir(folder)})
		fmt.Println(n, info.Outcome, err)
	}
	// Output:
	// 1 computed <nil>
	// 2 computed <nil>
}
