package mops_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

var (
	fetched int

	Tale = mops.Define("example/tale", tell, mops.Retries(5), mops.RetryDelay(time.Millisecond),
		mops.RetryIf(func(failed error) bool { return !errors.Is(failed, mops.ErrNoResult) }))
)

func tell(_ context.Context, page string) (string, error) {
	if page == "nowhere" {
		return "", mops.Final(errors.New("there is no such page"))
	}
	if fetched++; fetched < 3 {
		return "", errors.New("the server is busy")
	}
	return "Once upon a time", nil
}

func ExampleRetryIf() {
	env, err := mops.New(context.Background(), mops.Isolated(), mops.Root("mem://retryif"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer env.Close()
	ctx := env.Context(context.Background())
	fmt.Println(Tale.Call(ctx, "tale"))
	_, err = Tale.Call(ctx, "nowhere")
	fmt.Println(errors.Is(err, mops.ErrFinal))
	// Output:
	// Once upon a time <nil>
	// true
}
