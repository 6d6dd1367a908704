package mops_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go"
)

// A plan says what would be computed.
func ExamplePlan() {
	defer unheard()()
	env, err := mops.New(context.Background(), mops.Plan(), mops.Root("mem://plan"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = Length.Call(env.Context(context.Background()), "four")
	fmt.Println(errors.Is(err, mops.ErrPlanned))
	fmt.Println(env.Close()) // prints the plan
	// Output:
	// true
	// <nil>
}

// unheard turns standard error off until it is told to end.
func unheard() (end func()) {
	before := os.Stderr
	os.Stderr, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	return func() { os.Stderr.Close(); os.Stderr = before }
}
