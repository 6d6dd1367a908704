package mops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go"
)

var Train = mops.Define("example/forecast/train", func(ctx context.Context, epochs int) (string, error) {
	return fmt.Sprintf("trained %d epochs, attempt %d", epochs, mops.RunInfo(ctx).Attempt), nil
})

// A config file sets options from outside: for all functions, and for those
// below a name.
func ExampleConfig() {
	folder, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "mops.toml")
	os.WriteFile(path, []byte(`
root = "mem://configured"

[function."example/forecast"]
pipeline = "nightly"
`), 0o666)

	env, err := mops.New(context.Background(), mops.Config(path), mops.CacheDir(folder))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer env.Close()
	out, info, err := Train.Do(env.Context(context.Background()), 3)
	fmt.Println(out, err)
	fmt.Println(info.URI[:len("mem://configured/mops1/nightly/example/forecast/train@0")])
	// Output:
	// trained 3 epochs, attempt 1 <nil>
	// mem://configured/mops1/nightly/example/forecast/train@0
}
