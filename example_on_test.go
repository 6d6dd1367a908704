package mops_test

import (
	"context"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

var Elsewhere = mops.Define("example/elsewhere", func(ctx context.Context, caller int) (bool, error) {
	return os.Getpid() != caller, nil // a pure function does not depend on its process; here that is the point
})

// On says where calls run: here in processes of their own, two at a time.
func ExampleOn() {
	ctx, end := inFolder()
	defer end()
	elsewhere := Elsewhere.With(mops.On(subprocess.New(subprocess.Limit(2))))
	fmt.Println(elsewhere.Call(ctx, os.Getpid()))
	// Output: true <nil>
}
