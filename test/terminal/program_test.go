package terminal

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
)

// program is the variable that makes the test binary a program of mops; its value
// says how the program ends.
const program = "TERMINAL_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if _, is := os.LookupEnv(program); is {
		mops.Main(run, mops.Root("mem://terminal"), mops.Isolated())
	}
	mops.Init()
	os.Exit(m.Run())
}

const calls = 6

func run(ctx context.Context) error {
	fmt.Println("the program begins")
	defer fmt.Println("the program ends")
	_, err := speak.All(ctx, []int{0, 1, 2, 3, 4, 5})
	return err
}

// speak prints for a while, once the block stands, as functions do that know nothing
// of it.
var speak = mops.Define("test/speak", func(ctx context.Context, _ int) (int, error) {
	time.Sleep(300 * time.Millisecond)
	fmt.Println("a line on standard output")
	fmt.Fprintln(os.Stderr, "a line on standard error")
	fmt.Print("a part ")
	time.Sleep(300 * time.Millisecond)
	fmt.Fprint(os.Stderr, "of a ")
	time.Sleep(150 * time.Millisecond)
	fmt.Println("line")
	fmt.Println(strings.Repeat("long ", 60) + "end")
	for i := range 40 {
		fmt.Println("scrolls", i)
	}
	fmt.Println("\x1b[31mred\x1b[0m")
	spoken++
	if spoken == calls/2 {
		end(ctx)
	}
	return 0, nil
}, mops.On(inproc.New(inproc.Limit(1))))

// said is what a call prints.
var said = "a line on standard output\na line on standard error\na part of a line\n" +
	strings.Repeat("long ", 60) + "end\n" + scrolls() + "red\n"

func scrolls() (text string) {
	for i := range 40 {
		text += fmt.Sprintln("scrolls", i)
	}
	return text
}

var spoken int // calls that have ended; they run one after another

func end(ctx context.Context) {
	switch os.Getenv(program) {
	case "exit":
		fmt.Println("last words")
		os.Exit(3)
	case "fatal":
		log.SetFlags(0)
		log.Fatal("last words")
	case "panic":
		go panic("last words")
		<-ctx.Done()
	case "kill":
		fmt.Println("last words")
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		<-ctx.Done()
	case "wait":
		fmt.Println("last words")
		<-ctx.Done()
	}
}
