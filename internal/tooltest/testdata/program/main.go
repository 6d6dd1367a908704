// Command program does in a pod what its arguments say. As all who use mops, it
// begins with Init.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/TrilliantHealth/mops-go"
)

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
	case "say":
		fmt.Printf("%q\n", os.Args[2:])
	}
}
