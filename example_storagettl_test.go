package mops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

var Report = mops.Define("example/report", func(ctx context.Context, title string) (mops.Source, error) {
	folder, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	path := filepath.Join(folder, "report.txt")
	return mops.File(path), os.WriteFile(path, []byte(title), 0o666)
})

// The store removes blobs that are older than 30 days. So a result that names a
// file is a hit for 15 days only; after that, the file may be gone before it is
// read.
func ExampleStorageTTL() {
	folder, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(folder)
	env, err := mops.New(context.Background(), mops.Root("file://"+folder+"/root"),
		mops.StorageTTL(30*24*time.Hour), mops.CacheDir(folder), mops.CacheSize(50<<30))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer env.Close()
	ctx := env.Context(context.Background())
	for range 2 {
		_, info, err := Report.Do(ctx, "November")
		fmt.Println(info.Outcome, err)
	}
	// Output:
	// computed <nil>
	// hit <nil>
}
