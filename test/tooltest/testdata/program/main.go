// Command program does in a pod what its arguments say. As all who use mops, it
// begins with Init.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go"
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
	"github.com/TrilliantHealth/mops-go/k8s"
)

var wait = mops.Define("program/wait", func(ctx context.Context, _ string) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
})

// Part is of a night's work: it ends when there is a file in a folder.
type Part struct {
	Number int
	Folder string
}

var measure = mops.Define("program/measure", func(ctx context.Context, p Part) (int, error) {
	return p.Number * p.Number, opened(ctx, p.Folder)
})

// opened returns when there is a file "open" in a folder.
func opened(ctx context.Context, folder string) error {
	for {
		if _, err := os.Stat(filepath.Join(folder, "open")); err == nil {
			return nil
		}
		select { // nothing tells a pod that a file appears on its node
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func main() {
	mops.Init()
	switch os.Args[1] {
	case "exit": // at once, or when a folder is opened
		code, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		if len(os.Args) > 3 {
			opened(context.Background(), os.Args[3])
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
	case "nightly":
		place := os.Args[2]
		at := k8s.New(k8s.HostPath(place, place), k8s.CPU("10m"), k8s.Memory("64Mi"), k8s.EnvFromSecret("store"))
		mops.Main(func(ctx context.Context) error {
			squares, err := measure.All(ctx, []Part{{1, place}, {2, place}, {3, place}})
			fmt.Println(squares)
			return err
		}, mops.On(at))
	case "say":
		fmt.Printf("%q\n", os.Args[2:])
	}
}
