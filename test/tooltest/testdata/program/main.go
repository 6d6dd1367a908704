// Command program does in a pod what its arguments say. As all who use mops, it
// begins with Init.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/k8s"
)

var wait = mops.Define("program/wait", func(ctx context.Context, _ string) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
})

func main() {
	mops.Init()
	switch os.Args[1] {
	case "exit":
		code, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		fmt.Println("exits with", code)
		os.Exit(code)
	case "wait": // for the signal to end
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("waits")
		<-signals
	case "call":
		place := os.Args[2]
		mops.Main(func(ctx context.Context) error {
			_, err := wait.Call(ctx, "for ever")
			return err
		}, mops.Root("file://"+place), mops.On(k8s.New(k8s.HostPath(place, place))))
	case "say":
		fmt.Printf("%q\n", os.Args[2:])
	}
}
