package mops_test

import (
	"context"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

// flaky is what functions share that talk to an unreliable service.
var flaky = mops.Join(mops.Timeout(10*time.Second), mops.Retries(2))

var attempts int

var Fetch = mops.Define("example/fetch", func(ctx context.Context, what string) (string, error) {
	if attempts++; attempts < 3 {
		return "", fmt.Errorf("attempt %d: no answer", attempts)
	}
	return "all about " + what, nil
}, flaky)

func ExampleJoin() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Fetch.Call(ctx, "gophers"))
	fmt.Println(attempts, "attempts")
	// Output:
	// all about gophers <nil>
	// 3 attempts
}
